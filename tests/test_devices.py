"""Where things are computed, and what a bug report says about it."""

import importlib.metadata
import json
import os
import subprocess
import sys

import d2l_lstm
import numpy
import paddle
import pytest
from d2l_lstm import devices


@pytest.fixture
def gpus(monkeypatch):
    """Pretend to have so many GPUs; a place is only its name then."""

    def pretend(count):
        monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: count)
        monkeypatch.setattr(paddle, "CUDAPlace", lambda i: f"GPU {i}")

    return pretend


@pytest.mark.parametrize(
    "count, i, expected",
    [(0, 0, "CPU"), (1, 0, "GPU 0"), (1, 1, "CPU"), (2, 1, "GPU 1"), (2, 5, "CPU")],
)
def test_try_gpu_gives_the_gpu_if_it_is_there(gpus, count, i, expected):
    gpus(count)
    place = d2l_lstm.try_gpu(i)
    assert ("CPU" if isinstance(place, paddle.CPUPlace) else place) == expected


def test_try_gpu_asks_for_the_first_by_default(gpus):
    gpus(2)
    assert d2l_lstm.try_gpu() == "GPU 0"


def test_tensor_that_is_there_already_is_not_copied():
    tensor = paddle.to_tensor([1.0], place=paddle.CPUPlace())
    assert devices.to_device(tensor, None) is tensor
    assert devices.to_device(tensor, paddle.CPUPlace()) is tensor


@pytest.mark.parametrize("threads", [1, 3])
def test_number_of_threads_can_be_set(threads, monkeypatch):
    monkeypatch.setenv("D2L_LSTM_THREADS", str(threads))
    set_to = []
    monkeypatch.setattr(paddle.base.core, "set_num_threads", set_to.append)
    assert devices.num_threads() == d2l_lstm.use_all_cores() == threads
    assert set_to == [threads]


@pytest.mark.parametrize("value", [None, "", "0", "-1", "many"])
def test_all_cores_are_used_unless_told_otherwise(value, monkeypatch):
    monkeypatch.delenv("D2L_LSTM_THREADS", raising=False)
    if value is not None:
        monkeypatch.setenv("D2L_LSTM_THREADS", value)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert devices.num_threads() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert devices.num_threads() == 7


KEYS = [
    "d2l-lstm",
    "Python",
    "paddle",
    "numpy",
    "d2l",
    "system",
    "device",
    "cores",
    "threads",
    "chapter",
    "whole book",
]


def test_report_names_what_a_bug_report_needs(monkeypatch):
    monkeypatch.setenv("D2L_LSTM_THREADS", "2")
    report = d2l_lstm.environment_report()
    assert list(report) == KEYS
    assert all(isinstance(value, str) and value for value in report.values())
    assert report["d2l-lstm"] == d2l_lstm.__version__
    assert report["paddle"] == paddle.__version__
    assert report["numpy"] == numpy.__version__
    assert report["threads"].startswith("2 ")
    assert report["chapter"].endswith("timemachine_chapter1.txt")
    assert "not there" in report["whole book"]


def test_report_flags_nothing_in_the_locked_environment():
    report = d2l_lstm.environment_report()
    assert [key for key, value in report.items() if value.startswith("!")] == []
    assert report["d2l"] == "0.17.6"


@pytest.mark.parametrize("version", ["2.4.0", "2.4.0rc1", "2.10.1", "3.0.0"])
def test_report_flags_numpy_from_2_4_on(version, monkeypatch):
    monkeypatch.setattr(numpy, "__version__", version)
    assert d2l_lstm.environment_report()["numpy"].startswith(f"! {version}: ")


@pytest.mark.parametrize("version", ["2.3.9", "2.2.0", "1.26.4"])
def test_report_does_not_flag_an_older_numpy(version, monkeypatch):
    monkeypatch.setattr(numpy, "__version__", version)
    assert d2l_lstm.environment_report()["numpy"] == version


@pytest.mark.parametrize("version", ["2.6.2", "3.0.0", "3.4.0"])
def test_report_flags_another_paddle(version, monkeypatch):
    monkeypatch.setattr(paddle, "__version__", version)
    assert d2l_lstm.environment_report()["paddle"].startswith(f"! {version}: ")


@pytest.mark.parametrize("version", ["3.9.18", "3.14.0"])
def test_report_flags_a_python_without_paddle(version, monkeypatch):
    monkeypatch.setattr("platform.python_version", lambda: version)
    assert d2l_lstm.environment_report()["Python"].startswith(f"! {version}: ")


def test_report_flags_a_d2l_without_paddle(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "1.0.3")
    assert d2l_lstm.environment_report()["d2l"].startswith("! 1.0.3: ")


def test_report_says_how_to_install_a_missing_d2l(monkeypatch):
    def missing(package):
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    said = d2l_lstm.environment_report()["d2l"]
    assert "not installed" in said and "pip install --no-deps d2l==0.17.6" in said


def test_report_sees_the_whole_book(tmp_path, monkeypatch):
    (tmp_path / "timemachine.txt").write_text("some book")
    monkeypatch.setenv("D2L_LSTM_DATA", str(tmp_path))
    report = d2l_lstm.environment_report()
    assert report["whole book"] == str(tmp_path / "timemachine.txt")


def test_importing_the_package_is_quiet_and_imports_neither_d2l_nor_jupyter():
    code = (
        "import sys, json, d2l_lstm;"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code], capture_output=True, text=True
    )
    modules = set(json.loads(done.stdout))
    foreign = "d2l IPython ipykernel ipywidgets jupyter jupyter_core pandas torch"
    assert "paddle" in modules
    assert modules.isdisjoint(foreign.split())
    assert "ccache" not in done.stderr
