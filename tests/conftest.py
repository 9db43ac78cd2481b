"""What holds for every test: no network, fixed seeds, no data of the user's own."""

import importlib.util
import os
import random
import signal
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import settings

NO_NETWORK = Path(__file__).parent / "no_network"


def _bar_the_network():
    path = [str(NO_NETWORK), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    spec = importlib.util.spec_from_file_location(
        "no_network", NO_NETWORK / "sitecustomize.py"
    )
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


_bar_the_network()
# A shell may start what runs in the background with Ctrl-C ignored, and processes hand
# that down: commands that the tests interrupt would go on for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
# What is compiled for cells of the tests is kept beside what pytest keeps.
os.environ["XDG_CACHE_HOME"] = str(Path(__file__).parent.parent / ".pytest_cache/home")
matplotlib.use("Agg")  # not by MPLBACKEND: notebook kernels would inherit it
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("suite")

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="No ccache found")
    import paddle
    from d2l_lstm.cells import CELLS, define


@pytest.fixture(scope="session", autouse=True)
def no_data_of_the_user(tmp_path_factory):
    """The whole book is nowhere to be found, unless a test puts it somewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("D2L_LSTM_DATA", str(tmp_path_factory.mktemp("no_data")))
        patch.delenv("D2L_LSTM_MIRROR", raising=False)
        yield


@pytest.fixture(autouse=True)
def seeds():
    """Every test starts from the same random numbers."""
    random.seed(0)
    np.random.seed(0)
    paddle.seed(0)


@pytest.fixture
def frozen_cell():
    """The name of a cell with parameters that are not trained, p_f and p_o."""
    cell = CELLS["peephole"]
    names = " ".join(cell.param_names[:-2])

    def get_params(vocab_size, num_hiddens):
        params = cell.get_params(vocab_size, num_hiddens)
        for name, param in zip(cell.param_names, params):
            param.stop_gradient = name in ("p_f", "p_o")
        return params

    define("frozen", cell.step, names, "H C", get_params=get_params)
    yield "frozen"
    del CELLS["frozen"]


@pytest.fixture(scope="session")
def book():
    """The book's own library, repaired."""
    with warnings.catch_warnings():
        from d2l_lstm import compat

        compat.repair()
        from d2l import paddle as d2l
    return d2l
