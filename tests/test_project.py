"""What the project says of itself: dependencies, documents, the pretrained model."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import d2l_lstm
import nbformat
import pytest
import yaml
from d2l_lstm.claims import CLAIMS
from d2l_lstm.cli import PREFIXES, PRETRAINED
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rattler import MatchSpec

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
sys.path.insert(0, str(ROOT / "tools"))


def required(*extras):
    lines = PROJECT["dependencies"] + [
        line for extra in extras for line in PROJECT["optional-dependencies"][extra]
    ]
    requirements = map(Requirement, lines)
    return {canonicalize_name(r.name): str(r.specifier) for r in requirements}


def normal(specifier):
    return ",".join(sorted(specifier.replace(" ", "").split(",")))


def test_environment_yml_and_pyproject_say_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [d for d in environment["dependencies"] if isinstance(d, str)]
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    listed = {}
    for line in conda:
        spec = MatchSpec(line, strict=True)
        listed[spec.name.normalized] = normal(str(spec.version or ""))
    assert listed.pop("python") == normal(PROJECT["requires-python"])
    listed.pop("pip")
    for line in pip:
        if not line.startswith("-"):
            requirement = Requirement(line)
            listed[requirement.name] = normal(str(requirement.specifier))
    expected = {n: normal(s) for n, s in required("fast", "notebooks").items()}
    assert listed == expected


def locked():
    """Name to the versions that the lock has, for one or several Pythons."""
    versions = {}
    for name, version in re.findall(r"^([\w.\-]+)==([^\s;\\]+)", LOCK, re.M):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


def test_lock_holds_every_requirement_with_hashes_and_no_address():
    versions = locked()
    for name, specifier in required(
        "fast", "notebooks", "classroom", "book", "dev"
    ).items():
        assert name in versions, f"{name} is not in the lock: make lock"
        for version in versions[name]:
            assert version in Requirement(name + specifier).specifier, (name, version)
    entries = re.split(r"^(?=[\w.\-]+==)", LOCK, flags=re.M)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in LOCK and versions["d2l"] == ["0.17.6"]


def imported_modules(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def test_everything_that_is_imported_is_in_the_lock():
    folders = ("d2l_lstm", "tests", "tools", "benchmarks")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    sources = [path.read_text(encoding="utf-8") for path in files]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        sources += [c.source for c in cells if c.cell_type == "code"]
    scripts = {path.stem for path in files if path.parent.name in folders[1:]}
    ours = {"d2l_lstm", "d2l_lstm_command", "tomli", "d2l"} | scripts
    modules = {m for source in sources for m in imported_modules(source)}
    modules -= set(sys.stdlib_module_names) | ours
    where, versions = packages_distributions(), locked()
    for module in sorted(modules):
        names = [canonicalize_name(n) for n in where.get(module, [])]
        assert set(names) & set(versions), f"{module} comes from nothing in the lock"


def test_the_package_needs_no_more_than_it_declares():
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "d2l_lstm").rglob("*.py")]
    modules = {m for source in sources for m in imported_modules(source)}
    # IPython and matplotlib_inline are there where a notebook runs, d2l for compat, and
    # numba with what it is made of, pyspellchecker, scipy and its kin in an extra.
    optional = {"IPython", "matplotlib_inline", "d2l", "numba", "llvmlite"}
    optional |= {"spellchecker", "scipy", "sklearn", "statsmodels"}
    # For teachers; only `classroom.grading` and the watching of memory import them.
    optional |= {"nbgrader", "nbconvert", "nbformat", "traitlets", "psutil"}
    modules -= set(sys.stdlib_module_names) | optional
    where, declared = packages_distributions(), required()
    for module in sorted(modules - {"d2l_lstm", "d2l_lstm_command"}):
        names = {canonicalize_name(n) for n in where[module]}
        assert names & set(declared), f"{module} is not in pyproject.toml"


def test_a_wheel_has_all_that_the_package_reads(tmp_path):
    checkout, installed = tmp_path / "checkout", tmp_path / "installed"
    for name in ("d2l_lstm", "data"):
        shutil.copytree(ROOT / name, checkout / name)
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, checkout / name)
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    subprocess.run(
        [sys.executable, "-c", build], cwd=checkout, check=True, capture_output=True
    )
    (wheel,) = checkout.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(installed)
    code = (
        "import d2l_lstm; from d2l_lstm.claims import CLAIMS\n"
        "from d2l_lstm.cli import PRETRAINED\n"
        "print(d2l_lstm.__file__, len(CLAIMS), PRETRAINED.exists())\n"
        "print(len(d2l_lstm.read_raw_time_machine()))"
    )
    paths = [str(installed), os.environ["PYTHONPATH"]]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    file = installed / "d2l_lstm" / "__init__.py"
    assert done.stdout == f"{file} {len(CLAIMS)} True\n17369\n"


def test_readmes_and_claims_show_the_committed_runs():
    from update_readme import updated

    for path, text in updated().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: make readme"


def test_predictions_shown_continue_their_prefixes():
    """Only their form: the characters may be others on another processor."""
    shown = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    table = shown.split("<!-- predictions -->")[1].split("<!-- /predictions -->")[0]
    rows = dict(re.findall(r"^\| `(.*)` \| `(.*)` \|$", table, re.M))
    assert tuple(rows) == PREFIXES
    vocab = d2l_lstm.load_checkpoint(PRETRAINED).vocab
    for prefix, text in rows.items():
        assert text.startswith(prefix) and len(text) == len(prefix) + 40
        assert all(character in vocab for character in text)


def test_readme_names_commands_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rules = re.findall(r"^([a-z ]+):", (ROOT / "Makefile").read_text(), re.M)
    targets = [target for rule in rules for target in rule.split()]
    for target in re.findall(r"(?:^|`)make ([a-z]+)", readme, re.M):
        assert target in targets
    for link in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (ROOT / link).exists(), link


MAKE = pytest.mark.skipif(not shutil.which("make"), reason="there is no make")


def make(*arguments):
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFL"))}
    done = subprocess.run(  # as from a shell, also when make runs the suite
        ["make", *arguments], cwd=ROOT, capture_output=True, text=True, env=outside
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@MAKE
def test_make_lists_every_target_with_what_it_does():
    listed = dict(re.split(r"  +", line, maxsplit=1) for line in make())
    named = [target for targets in listed for target in targets.split()]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.*)", makefile, re.M)
    assert sorted(named) == sorted(" ".join(phony).split())
    assert listed["test"] == "the whole suite"


@MAKE
@pytest.mark.parametrize(
    ("system", "folder"), [("", "bin"), ("Windows_NT", "Scripts"), ("Linux", "bin")]
)
def test_make_finds_the_commands_of_the_environment(system, folder):
    *_, last = make("-n", f"OS={system}", "test")
    assert last == f".venv/{folder}/python -m pytest"


@MAKE
@pytest.mark.parametrize(("force", "option"), [("FORCE=", ""), ("FORCE=1", " --force")])
def test_make_keeps_the_results_of_a_busy_machine_only_if_told_to(force, option):
    *_, last = make("-n", force, "bench")
    assert last.rstrip().endswith("/python benchmarks/bench.py" + option)


def test_pretrained_model_is_the_chapters_lstm():
    saved = d2l_lstm.load_checkpoint(PRETRAINED)
    history = d2l_lstm.History(**saved.history)
    assert (d2l_lstm.cell_name(saved.net), saved.net.num_hiddens) == ("lstm", 256)
    assert len(history.epochs) == 500 and history.lr == [1.0] * 500
    text = saved.run["settings"]["training text"]
    assert (text["batch_size"], text["num_steps"], text["num_tokens"]) == (
        32,
        35,
        10000,
    )
    _, valid_iter, _, vocab = d2l_lstm.load_time_machine_splits(
        32, 35, num_valid=5000, num_test=1000
    )
    assert vocab.idx_to_token == saved.vocab.idx_to_token
    measured = d2l_lstm.evaluate_perplexity(saved.net, valid_iter)
    assert measured == pytest.approx(history.valid_perplexity[-1], rel=1e-3)


def test_no_tracked_file_has_an_address_of_a_registry_or_a_path_of_a_machine():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    private = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/[\w.\-/]+")
    registry = re.compile("pypi" + r"\.org|files\.python" + "hosted")
    for name in listed.stdout.split("\n"):
        path = ROOT / name
        if path.suffix in (".safetensors", ".svg", ".ipynb", "") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        assert not private.search(text) and not registry.search(text), name
