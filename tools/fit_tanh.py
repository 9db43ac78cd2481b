"""Find the coefficients of the tanh in `d2l_lstm/fast/with_numba.py`, and its error.

x * P(x * x) / Q(x * x) with polynomials of degree 4, such that the largest relative
error up to LAST is as small as a few hundred rounds of reweighted least squares make
it: each round solves for P and Q with the last Q as the denominator, and gives more
weight to where the error was large.
"""

import numpy as np

LAST, DEGREE, POINTS, ROUNDS = 7.9, 4, 4000, 300


def fit():
    """P and Q from the constant coefficient on, and the largest relative error."""
    grid = np.linspace(0, np.pi, POINTS + 1)[1:]
    x = LAST * (1 - np.cos(grid)) / 2
    s, tanh = (x / LAST) ** 2, np.tanh(x)
    powers = s[:, None] ** np.arange(DEGREE + 1)
    weight, q, best = np.ones(POINTS), np.ones(POINTS), (np.inf, None, None)
    columns = np.concatenate([x[:, None] * powers, -tanh[:, None] * powers[:, 1:]], 1)
    for _ in range(ROUNDS):
        scale = (np.sqrt(weight) / (tanh * q))[:, None]
        size = np.abs(columns * scale).max(0)
        right = (tanh[:, None] * scale)[:, 0]
        c = np.linalg.lstsq(columns * scale / size, right, rcond=1e-17)[0] / size
        p, q = x * (powers @ c[: DEGREE + 1]), powers @ [1, *c[DEGREE + 1 :]]
        error = np.abs(p / q / tanh - 1)
        if error.max() < best[0]:
            units = LAST ** (2.0 * np.arange(DEGREE + 1))
            P, Q = c[: DEGREE + 1] / units, np.array([1, *c[DEGREE + 1 :]]) / units
            best = error.max(), P, Q
        weight *= (error / error.max() + 1e-3) ** 0.7
        weight /= weight.max()
    return best[1], best[2], best[0]


if __name__ == "__main__":
    P, Q, error = fit()
    for name, coefficients in (("P", P), ("Q", Q)):
        print(f"{name} = (")
        for c in coefficients:
            print(f"    {np.float32(c)!s},")
        print(")")
    print(f"largest relative error before rounding to float32: {error:.1e}")
