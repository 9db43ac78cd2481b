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

__version__ = "0.8.0"

from .attention import (
    AdditiveAttention,
    AttentionModel,
    SelfAttention,
    masked_softmax,
    positions,
)
from .batches import (
    SeqDataLoader,
    load_data_time_machine,
    load_time_machine_splits,
    seq_data_iter_random,
    seq_data_iter_sequential,
    split_corpus,
)
from .cells import (
    CELLS,
    Cell,
    cifg,
    cifg_step,
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
    gru_reset_after_step,
    gru_step,
    init_cifg_state,
    init_gru_reset_after_state,
    init_gru_state,
    init_lstm_state,
    init_peephole_cifg_state,
    init_peephole_state,
    init_rnn_state,
    lstm,
    lstm_step,
    peephole,
    peephole_cifg,
    peephole_cifg_step,
    peephole_step,
    rnn,
    rnn_step,
    trace,
    unroll,
)
from .checkpoints import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
)
from .claims import claim
from .corpora import load_large_corpus
from .devices import flush_denormals, try_gpu
from .download import DownloadError, fetch_time_machine
from .drawing import Diagram, draw_gru, draw_lstm, draw_unrolled
from .environment import environment_report
from .fitting import (
    Callback,
    NonFiniteLossError,
    fit,
    grad_clipping,
    mean_loss,
    sgd,
)
from .generation import (
    generate,
    log_probabilities,
    next_token_probabilities,
    predict_ch8,
)
from .kinship import (
    KIN,
    changes,
    differing,
    family_tree,
    formula,
    num_changes,
)
from .models import (
    RNNModel,
    RNNModelScratch,
    RNNStack,
    ScratchLayer,
    SequenceModel,
    cell_name,
    num_parameters,
    parameters_of,
    pool,
    scratch_model,
    units_of_size,
)
from .ngrams import KneserNey, bits_per_character
from .originality import (
    copied,
    english_words,
    find_loop,
    longest_copy,
    loop_form,
    real_word_share,
    repeated,
    text_shares,
)
from .parallel import LostWorkerError
from .plotting import (
    Animator,
    look,
    plot,
    plot_history,
    set_axes,
    set_figsize,
    text_heatmap,
    use_svg_display,
)
from .progress import LiveLine
from .results import result
from .sequences import SequenceLoader, load_images, pad, read_images
from .snapshots import History
from .stepper import StepThrough, step_through
from .tasks import (
    TaskLoader,
    accuracy,
    adding,
    class_errors,
    equal_counts,
    farthest_count,
    recall,
    squared_errors,
    temporal_order,
)
from .text import (
    Vocab,
    count_corpus,
    load_corpus,
    load_corpus_time_machine,
    normalize_text,
    read_raw_time_machine,
    read_text,
    read_time_machine,
    tokenize,
)
from .training import (
    Accumulator,
    Timer,
    evaluate_perplexity,
    token_losses,
    train_ch8,
    train_epoch_ch8,
)
