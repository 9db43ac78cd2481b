"""Where things are computed, and what a bug report says about it."""

import importlib.metadata
import json
import os
import subprocess
import sys
from contextlib import nullcontext

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
    assert devices.num_threads() == devices.product_threads() == threads


@pytest.mark.parametrize("value", [None, ""])
def test_all_cores_are_used_unless_told_otherwise(value, monkeypatch, tmp_path):
    monkeypatch.delenv("D2L_LSTM_THREADS", raising=False)
    if value is not None:
        monkeypatch.setenv("D2L_LSTM_THREADS", value)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert devices.num_threads(tmp_path) == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert devices.num_threads(tmp_path) == 7


@pytest.mark.parametrize("value", ["0", "-1", "many", "²", "1.5", "1025", "9" * 30])
def test_a_number_of_threads_that_cannot_be_is_one_sentence(value, monkeypatch):
    monkeypatch.setenv("D2L_LSTM_THREADS", value)
    with pytest.raises(ValueError, match="D2L_LSTM_THREADS is .* from 1 to 1024"):
        devices.num_threads()


# --------------------------------------------------------------------------------------
# What a container, or a classroom's server, leaves of the machine

V2, V1 = "0::{}\n", "9:name=systemd:/\n4:memory:{0}\n3:cpu,cpuacct:{0}\n0::/\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A root folder with a process's control groups; the machine has 64 cores."""
    monkeypatch.delenv("D2L_LSTM_THREADS", raising=False)
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda _: set(range(64)), raising=False
    )

    def make(groups, files):
        files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
        for name, text in {"proc/self/cgroup": groups, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("groups", "files", "threads"),
    [
        (V2.format("/"), {"cpu.max": "200000 100000\n"}, 2),
        (V2.format("/"), {"cpu.max": "max 100000\n"}, 64),
        (V2.format("/"), {"cpu.max": "150000 100000\n"}, 2),
        (V2.format("/"), {"cpu.max": "5000 100000\n"}, 1),
        (V2.format("/"), {"cpu.max": "9000000 100000\n"}, 64),
        (V2.format("/"), {}, 64),
        (V2.format("/hub/ann"), {"hub/ann/cpu.max": "300000 100000\n"}, 3),
        (V2.format("/hub/ann"), {"hub/cpu.max": "300000 100000\n"}, 3),
        (
            V2.format("/hub/ann"),
            {
                "hub/ann/cpu.max": "max 100000\n",
                "hub/cpu.max": "200000 100000\n",
                "cpu.max": "400000 100000\n",
            },
            2,
        ),
        (V2.format("/hub/ann"), {"hub/bob/cpu.max": "100000 100000\n"}, 64),
        (V2.format("/docker/not_seen"), {"cpu.max": "400000 100000\n"}, 4),
        (V2.format("/../outside"), {"cpu.max": "400000 100000\n"}, 4),
        (
            V1.format("/hub"),
            {
                "cpu/hub/cpu.cfs_quota_us": "250000\n",
                "cpu/hub/cpu.cfs_period_us": "100000\n",
                "cpu/cpu.cfs_quota_us": "-1\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            V1.format("/docker/not_seen"),
            {"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "25000\n"},
            2,
        ),
        (
            V1.format("/"),
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            64,
        ),
    ],
)
def test_threads_are_no_more_than_the_control_groups_share(
    machine, groups, files, threads
):
    assert devices.num_threads(machine(groups, files)) == threads


def test_a_number_of_threads_that_is_set_goes_before_the_share(machine, monkeypatch):
    root = machine(V2.format("/"), {"cpu.max": "200000 100000\n"})
    monkeypatch.setenv("D2L_LSTM_THREADS", "5")
    assert devices.num_threads(root) == 5


def test_without_control_groups_every_core_is_used(machine, tmp_path):
    assert devices.num_threads(tmp_path) == 64


@pytest.fixture
def gigabyte(monkeypatch):
    """The machine has a gigabyte."""
    values = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**30 // 4096}
    monkeypatch.setattr(os, "sysconf", values.__getitem__, raising=False)


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        (V2.format("/"), {}, 2**30),
        (V2.format("/"), {"memory.max": "max\n"}, 2**30),
        (V2.format("/hub/ann"), {"hub/memory.max": "500000\n"}, 500000),
        (
            V2.format("/hub/ann"),
            {"hub/ann/memory.max": "600000\n", "hub/memory.max": "500000\n"},
            500000,
        ),
        (V2.format("/"), {"memory.max": f"{2**40}\n"}, 2**30),
        (V1.format("/hub"), {"memory/hub/memory.limit_in_bytes": "700000\n"}, 700000),
        (
            V1.format("/"),
            {"memory/memory.limit_in_bytes": "9223372036854771712\n"},
            2**30,
        ),
    ],
)
def test_memory_is_the_machines_or_what_a_control_group_leaves(
    machine, gigabyte, groups, files, limit
):
    assert devices.memory_limit(machine(groups, files)) == limit


def test_memory_is_unknown_where_the_system_does_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: -1, raising=False)
    assert devices.memory_limit(tmp_path) is None
    monkeypatch.delattr(os, "sysconf")
    assert devices.memory_limit(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="Windows does not tell")
def test_this_machine_has_memory():
    assert devices.memory_limit() > 2**28


# --------------------------------------------------------------------------------------
# The report

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
    "fast path",
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


def test_report_changes_nothing(monkeypatch):
    monkeypatch.setattr(paddle.base.core, "set_num_threads", None)
    assert d2l_lstm.environment_report()["threads"]


def test_report_sees_the_whole_book(tmp_path, monkeypatch):
    (tmp_path / "timemachine.txt").write_text("some book")
    monkeypatch.setenv("D2L_LSTM_DATA", str(tmp_path))
    report = d2l_lstm.environment_report()
    assert report["whole book"] == str(tmp_path / "timemachine.txt")


def test_importing_the_package_is_quiet_and_imports_nothing_slow_nor_d2l_nor_jupyter():
    code = (
        "import sys, json, d2l_lstm;"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code], capture_output=True, text=True
    )
    modules = set(json.loads(done.stdout))
    foreign = (
        "matplotlib d2l IPython ipykernel ipywidgets jupyter jupyter_core pandas torch"
    )
    assert "paddle" in modules
    assert modules.isdisjoint(foreign.split())
    assert "ccache" not in done.stderr


def half_of_the_smallest_normal_number():
    return float(
        numpy.full(8, numpy.finfo("float32").tiny) * numpy.float32(0.5) @ numpy.ones(8)
    )


def test_denormal_numbers_count_as_zero_inside_the_block_only():
    normal = half_of_the_smallest_normal_number()
    with devices.flush_denormals() as flushed:
        inside = half_of_the_smallest_normal_number()
    assert inside == (0 if flushed else normal)
    assert half_of_the_smallest_normal_number() == normal > 0


def test_denormal_numbers_come_back_after_an_error():
    normal = half_of_the_smallest_normal_number()
    with pytest.raises(KeyError), devices.flush_denormals():
        raise KeyError
    assert half_of_the_smallest_normal_number() == normal


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(devices.platform, "machine", lambda: "arm64")
    with devices.flush_denormals() as flushed:
        assert not flushed and half_of_the_smallest_normal_number() > 0


def test_a_gradient_is_the_same_with_denormal_numbers_and_without():
    paddle.seed(0)
    net = d2l_lstm.SequenceModel(paddle.nn.LSTM(2, 4, time_major=True), 1)
    X = paddle.rand([300, 2, 2])
    found = []
    for block in (nullcontext, devices.flush_denormals):
        with block():
            net(X).sum().backward()
        found.append(net.rnn.parameters()[1].grad.numpy())
        net.clear_gradients()
    assert numpy.array_equal(*found)


def test_the_peak_of_a_function_is_what_it_allocates_and_gives_back():
    kept = []

    def work():
        paddle.ones([1000, 1000])  # 4 MB, given back
        kept.append(paddle.ones([500, 500]))  # 1 MB, kept

    peak = devices.peak_memory(work)
    assert 4_000_000 <= peak < 6_000_000
    assert devices.peak_memory(lambda: None) < 100_000


def test_what_is_kept_is_there():
    before = devices.allocated_memory()
    kept = paddle.ones([1000, 1000])
    assert 4_000_000 <= devices.allocated_memory() - before < 5_000_000
    del kept
    assert devices.allocated_memory() - before < 1_000_000
