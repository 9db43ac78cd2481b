"""A companion to the LSTM chapter of *Dive into Deep Learning*, in PaddlePaddle.

    import d2l_lstm as d2l

stands where the book has `from d2l import paddle as d2l`: names that the book has keep
the book's meaning, argument order and return values.
"""

import logging as _logging
import warnings as _warnings

with _warnings.catch_warnings():
    # Paddle tells on import that a compiler cache is missing; nothing here compiles.
    _warnings.filterwarnings("ignore", message="No ccache found")
    import paddle as _paddle

# Paddle shows the INFO messages of every library; this one comes at the first start.
_logging.getLogger("matplotlib.font_manager").setLevel(_logging.WARNING)

__version__ = "0.1.0"

from .cells import (
    CELLS,
    Cell,
    cifg,
    get_cell,
    get_cifg_params,
    get_gru_params,
    get_gru_reset_after_params,
    get_lstm_params,
    get_peephole_cifg_params,
    get_peephole_params,
    get_rnn_params,
    gru,
    gru_reset_after,
    init_cifg_state,
    init_gru_reset_after_state,
    init_gru_state,
    init_lstm_state,
    init_peephole_cifg_state,
    init_peephole_state,
    init_rnn_state,
    lstm,
    peephole,
    peephole_cifg,
    rnn,
)
from .checkpoints import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
)
from .claims import claim
from .devices import environment_report, try_gpu, use_all_cores
from .download import DownloadError, fetch_time_machine
from .drawing import Diagram, draw_lstm
from .generation import (
    generate,
    next_token_probabilities,
    predict_ch8,
)
from .models import (
    RNNModel,
    RNNModelScratch,
    ScratchLayer,
    cell_name,
    num_parameters,
    parameters_of,
    scratch_model,
)
from .plotting import (
    Animator,
    plot,
    plot_history,
    set_axes,
    set_figsize,
    text_heatmap,
    use_svg_display,
)
from .progress import LiveLine
from .text import (
    SeqDataLoader,
    Vocab,
    count_corpus,
    load_corpus,
    load_corpus_time_machine,
    load_data_time_machine,
    load_time_machine_splits,
    normalize_text,
    read_raw_time_machine,
    read_text,
    read_time_machine,
    seq_data_iter_random,
    seq_data_iter_sequential,
    split_corpus,
    tokenize,
)
from .training import (
    Accumulator,
    History,
    NonFiniteLossError,
    Timer,
    evaluate_perplexity,
    grad_clipping,
    sgd,
    train_ch8,
    train_epoch_ch8,
)
