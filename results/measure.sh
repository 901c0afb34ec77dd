#!/bin/sh
# Measures everything in this folder again, then writes the tables of all pages from it:
#
#     sh results/measure.sh DATA VOLUMES
#
# DATA: image pairs, as volfuse/data/pairs.py describes the folder. VOLUMES: see benchmarks/volumes.py.
# A stopped run goes on where it stopped as long as build/results is there.
set -eu
data=$(cd "$1" && pwd)
volumes=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."

volfuse evaluate --pairs "$data" --split test --lesions -o build/results/reference
volfuse evaluate --pairs "$data" --split test --convention published -o build/results/published
python benchmarks/volumes.py --data "$volumes" -o results \
    --models unionnet lightfusionnet maximum laplacian guided_filter

python -m benchmarks.label_load --output results/label_load.csv

cp build/results/reference/means.csv results/test_pairs.csv
cp build/results/reference/lesion_summary.csv results/lesions.csv
cp build/results/published/means.csv results/test_pairs_published.csv
python docs/write_tables.py
