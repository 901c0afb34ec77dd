"""Put into a built wheel what an editable install finds beside the package: bundles, label app, a table of results."""

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundleHook(BuildHookInterface):
    """Runs when a wheel is built."""

    def initialize(self, version: str, build_data: dict) -> None:
        if version == "standard":
            build_data["force_include"]["monai_bundles"] = "volfuse/monai_bundles"
            build_data["force_include"]["results/lesions.csv"] = "volfuse/results/lesions.csv"
            build_data["force_include"]["label_app"] = "volfuse/label_app"
