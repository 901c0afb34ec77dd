"""Which library registers best: ANTs, elastix or SimpleITK alone, on the same phantoms as benchmarks/registration.py.

    python benchmarks/registration_libraries.py --libraries ants simpleitk --pairs 6
    pip install itk-elastix; python benchmarks/registration_libraries.py --libraries elastix --pairs 6

All go rigid, affine, deformable with mutual information and their own defaults where they have any. Errors are in
voxels of the reference volume: median / 95 % / largest of 500 points. Times are processor time; set
ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=1 to compare them.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from registration import points_by, print_row, processor_time

from volfuse.data.displaced import displaced_pair
from volfuse.registration.stages import align
from volfuse.registration.volumes import luminance

Points = Callable[[np.ndarray], np.ndarray]  # RAS mm, reference to second
FLIP = np.array([-1.0, -1.0, 1.0])


def main() -> None:
    """Print one Markdown table, a row per library and pair."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--pairs", type=int, default=6)
    arguments = parser.parse_args()
    print_row(["library", "pair", "rigid+affine", "s", "deformable", "s"])
    print_row(["---"] * 6)
    for library in arguments.libraries:
        for number in range(arguments.pairs):
            pair = displaced_pair(number)
            row = [library, str(number)]
            for deformable in (False, True):
                start = processor_time()
                points = LIBRARIES[library](luminance(pair.reference), luminance(pair.second), deformable)
                seconds = processor_time() - start
                missed = pair.target_errors(points)
                row += [f"{np.median(missed):.2f} / {np.percentile(missed, 95):.2f} / {missed.max():.2f}"]
                row += [f"{seconds:.1f}"]
            print_row(row)


def ants(reference: sitk.Image, second: sitk.Image, deformable: bool) -> Points:
    """As volfuse uses it."""
    return points_by(align(reference, second, ["rigid", "affine", "syn"][: 3 if deformable else 2]))


def elastix(reference: sitk.Image, second: sitk.Image, deformable: bool) -> Points:
    """The default parameter maps; control points 20 mm apart."""
    import itk

    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/{name}.nrrd" for name in ("reference", "second")]
        for image, file in zip((reference, second), files, strict=True):
            sitk.WriteImage(image, file)
        images = [itk.imread(file, itk.F) for file in files]
    parameters = itk.ParameterObject.New()
    for stage in ("rigid", "affine", "bspline")[: 3 if deformable else 2]:
        settings = parameters.GetDefaultParameterMap(stage, 3, 20.0)
        settings["AutomaticTransformInitialization"] = ["true"]
        settings["AutomaticTransformInitializationMethod"] = ["CenterOfGravity"]
        parameters.AddParameterMap(settings)
    _, found = itk.elastix_registration_method(
        *images, parameter_object=parameters, log_to_console=False, number_of_threads=1
    )

    def points(ras: np.ndarray) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            listed = Path(folder) / "points.txt"
            lines = [" ".join(map(str, point)) for point in ras * FLIP]
            listed.write_text("\n".join(["point", str(len(lines)), *lines]))
            itk.transformix_pointset(
                images[1], found, fixed_point_set_file_name=str(listed), output_directory=folder
            )
            rows = (Path(folder) / "outputpoints.txt").read_text(encoding="utf-8").splitlines()
        moved = [row.split("OutputPoint = [")[1].split("]")[0].split() for row in rows]
        return np.array(moved, dtype=float) * FLIP

    return points


def simpleitk(reference: sitk.Image, second: sitk.Image, deformable: bool) -> Points:
    """Conjugate gradients with a line search, then a displacement field that a Gaussian keeps smooth."""
    rigid = sitk.CenteredTransformInitializer(
        reference, second, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    rigid = sitk.Euler3DTransform(rigid)
    _descend(reference, second, rigid)
    affine = sitk.AffineTransform(rigid.GetMatrix(), rigid.GetTranslation(), rigid.GetCenter())
    _descend(reference, second, affine)
    if not deformable:
        return points_by(affine)
    field = None
    for shrink, iterations in ((4, 40), (2, 20)):
        coarse = sitk.BinShrink(reference, [shrink] * 3)
        if field is None:
            field = sitk.TransformToDisplacementField(
                sitk.Transform(3, sitk.sitkIdentity), sitk.sitkVectorFloat64, coarse.GetSize(),
                coarse.GetOrigin(), coarse.GetSpacing(), coarse.GetDirection(),
            )  # fmt: skip
        else:
            field = sitk.Resample(field, coarse)
        bend = sitk.DisplacementFieldTransform(field)
        bend.SetSmoothingGaussianOnUpdate(3.0, 0.5)
        method = _method([1], [0], [1.0])
        method.SetMovingInitialTransform(affine)
        method.SetInitialTransform(bend, True)
        method.SetOptimizerAsGradientDescent(
            1.0,
            iterations,
            1e-6,
            10,
            sitk.ImageRegistrationMethod.EachIteration,
            0.2 * coarse.GetSpacing()[0],
        )
        method.Execute(coarse, sitk.SmoothingRecursiveGaussian(second, shrink * second.GetSpacing()[0] / 2))
        field = bend.GetDisplacementField()
    return points_by(sitk.CompositeTransform([affine, bend]))


def _descend(reference: sitk.Image, second: sitk.Image, transform: sitk.Transform) -> None:
    method = _method([4, 2, 1], [2, 1, 0], [1.0, 1.0, 0.25])
    step = 0.5 * reference.GetSpacing()[0]
    method.SetOptimizerAsConjugateGradientLineSearch(
        1.0, 200, 1e-6, 10, 0.0, 2.0, 0.2, 20, sitk.ImageRegistrationMethod.EachIteration, step
    )
    method.SetInitialTransform(transform, True)
    method.Execute(reference, second)


def _method(shrinks: list[int], sigmas: list[float], shares: list[float]) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.RANDOM if min(shares) < 1 else method.NONE)
    method.SetMetricSamplingPercentagePerLevel(shares, 1)
    method.MetricUseFixedImageGradientFilterOff()
    method.MetricUseMovingImageGradientFilterOff()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(shrinks)
    method.SetSmoothingSigmasPerLevel(sigmas)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    method.SetOptimizerScalesFromPhysicalShift()
    return method


LIBRARIES = {"ants": ants, "elastix": elastix, "simpleitk": simpleitk}


if __name__ == "__main__":
    main()
