"""With libgarface.so.1 beside the package, the wheel belongs to one platform and to every Python 3; without it, to all."""
import pathlib

from setuptools import Distribution, setup

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    try:
        from wheel.bdist_wheel import bdist_wheel
    except ImportError:
        bdist_wheel = None

CARRIES_LIBRARY = (pathlib.Path(__file__).resolve().parent / "garface/libgarface.so.1").exists()


class PlatformDistribution(Distribution):
    def has_ext_modules(self):
        return CARRIES_LIBRARY


commands = {}
if bdist_wheel is not None:

    class AnyPythonWheel(bdist_wheel):
        def get_tag(self):
            _, _, platform = super().get_tag()
            return "py3", "none", platform

    commands["bdist_wheel"] = AnyPythonWheel

setup(distclass=PlatformDistribution, cmdclass=commands)
