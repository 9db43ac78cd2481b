"""The fast path: training steps of a cell without autograd, behind the readable code.

    tracing     runs a step once on symbols: a graph of what it computes
    planning    splits the graph into matrix products and loops over elements
    source      writes the loops, forward and backward, as Python source
    compiling   makes a function of it, with numba or NumPy
    training    minibatches in pieces, one for each core; check against autograd
    mkl         the matrix products

The readable code stays the definition of each cell, and the judge: see `FastPath`.
"""

from .compiling import available_backends, compile_cell, is_understood
from .training import FastPath, FastTraining
