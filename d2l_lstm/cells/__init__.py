"""The recurrent cells from scratch, each one step; `CELLS` names them all."""

from .chapter import (
    get_gru_params,
    get_gru_reset_after_params,
    get_lstm_params,
    get_rnn_params,
    gru,
    gru_reset_after,
    gru_reset_after_step,
    gru_step,
    init_gru_reset_after_state,
    init_gru_state,
    init_lstm_state,
    init_rnn_state,
    lstm,
    lstm_step,
    rnn,
    rnn_step,
)
from .core import (
    CELLS,
    Cell,
    define,
    gates,
    get_cell,
    initial_params,
    param_shape,
    trace,
    unroll,
)
from .variants import (
    cifg,
    cifg_step,
    get_cifg_params,
    get_peephole_cifg_params,
    get_peephole_params,
    init_cifg_state,
    init_peephole_cifg_state,
    init_peephole_state,
    peephole,
    peephole_cifg,
    peephole_cifg_step,
    peephole_step,
)

# isort: split
# CELLS has them in this order: those of the chapter, its variants, the rest.
from .searched import mingru_scan, minlstm_scan, scan
