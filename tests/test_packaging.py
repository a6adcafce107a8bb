"""The lock fits the ranges, no file names a package index, and the wheel carries what it should."""

import csv
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Locked by nobody: which build of torch fits (CPU or a CUDA) is each machine's own matter.
FREE = re.compile(r"torch|triton|nvidia-.*|cuda-.*")

# Put together here, so that this file does not hold what it looks for.
DOT = r"\."
INDEX_ADDRESS = re.compile(
    "|".join(
        (
            DOT.join(("pypi", "org")),
            DOT.join(("pythonhosted", "org")),
            DOT.join((r"download", "pytorch", "org")),
            r"https?://[^\s\"'<>]+/" + r"simple(?![\w-])",
            r"--(?:extra-)?index" + r"-url[ =]+\S*://",
        )
    ),
    re.IGNORECASE,
)


def requirements() -> list[Requirement]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [Requirement(line) for group in groups for line in group]


def locked() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): Version(version) for name, version in (x.split("==") for x in lines)}


def project_files() -> list[Path]:
    """Every file that git tracks or would track."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not a git checkout: {error}")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_the_constraints_satisfy_the_ranges_of_every_extra() -> None:
    lock = locked()
    wanted = [r for r in requirements() if r.name != PROJECT["name"] and not FREE.fullmatch(r.name)]
    missing = [r.name for r in wanted if canonicalize_name(r.name) not in lock]
    broken = [str(r) for r in wanted if r.name not in missing]
    broken = [line for line in broken if not satisfied(Requirement(line), lock)]
    assert not missing, f"not in constraints.txt: {missing}"
    assert not broken, f"constraints.txt breaks: {broken}"


def satisfied(requirement: Requirement, lock: dict[str, Version]) -> bool:
    return requirement.specifier.contains(lock[canonicalize_name(requirement.name)], prereleases=True)


def test_the_constraints_leave_torch_to_the_machine() -> None:
    assert [name for name in locked() if FREE.fullmatch(name)] == []


def test_no_file_names_a_package_index() -> None:
    found = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in INDEX_ADDRESS.finditer(text)]
    assert not found, f"these break users behind a mirror: {found}"


@pytest.mark.parametrize("host", ["pypi" + ".org", "files.pythonhosted" + ".org"])
def test_the_pattern_for_package_indexes_finds_one(host: str) -> None:
    assert INDEX_ADDRESS.search(f"https://{host}/")


def test_the_version_is_the_same_everywhere() -> None:
    import agentsym

    assert agentsym.__version__ == PROJECT["version"]


def build(kind: str, source: Path, target: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = target.iterdir()
    return built


def recorded(wheel: Path) -> set[PurePosixPath]:
    with zipfile.ZipFile(wheel) as archive:
        (record,) = (name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        rows = csv.reader(archive.read(record).decode().splitlines())
        return {PurePosixPath(row[0]) for row in rows}


def test_the_wheel_ships_pipelines_and_tools_as_data_and_nothing_hidden(tmp_path: Path) -> None:
    files = recorded(build("wheel", ROOT, tmp_path / "wheel"))
    tops = {path.parts[0] for path in files}
    assert tops == {"agentsym", f"agentsym-{PROJECT['version']}.dist-info"}
    for kind in ("pipelines", "tools"):
        ours = {p.relative_to(ROOT) for p in project_files() if p.is_relative_to(ROOT / kind)}
        assert ours, f"{kind}/ is empty"
        assert {PurePosixPath("agentsym/_shipped", path) for path in ours} <= files
    assert PurePosixPath("agentsym/py.typed") in files
    assert [str(path) for path in files if any(part.startswith(".") for part in path.parts)] == []
    assert [str(path) for path in files if {"__pycache__", "runs"} & set(path.parts)] == []


def test_a_wheel_built_from_the_source_archive_is_the_same_as_one_from_the_checkout(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", ROOT, tmp_path / "sdist")) as archive:
        if hasattr(tarfile, "data_filter"):  # not before 3.11.4
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(tmp_path / "unpacked")
    (source,) = (tmp_path / "unpacked").iterdir()
    from_archive = recorded(build("wheel", source, tmp_path / "from_archive"))
    assert from_archive == recorded(build("wheel", ROOT, tmp_path / "from_checkout"))
