"""Series: windows that fit, scaling that does not look, forecasts that cannot."""

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm.series import (
    LinearAutoregression,
    NetworkForecaster,
    Scaling,
    WindowLoader,
    check_series,
    coverage,
    free_run,
    futures_at,
    last_values,
    on_changes,
    pasts_at,
    persistence,
    rmse,
    rolling_origins,
    seasonal_naive,
    windows,
)
from hypothesis import given
from hypothesis import strategies as st
from paddle import nn


@given(st.integers(1, 12), st.integers(1, 40))
def test_a_window_holds_the_values_right_before_its_label(num_steps, more):
    series = np.arange(num_steps + more)
    X, y = windows(series, num_steps)
    assert X.shape == (num_steps, more, 1) and y.shape == (more, 1)
    assert X.dtype == y.dtype == np.float32
    for i in range(more):
        assert X[:, i, 0].tolist() == series[i : i + num_steps].tolist()
        assert y[i, 0] == series[i + num_steps]


def test_a_loader_yields_every_window_once_in_an_order_that_changes():
    loader = WindowLoader(np.arange(30.0), num_steps=4, batch_size=7, seed=1)
    assert len(loader) == 4
    orders = []
    for _ in range(2):
        batches = list(loader)
        assert [tuple(X.shape) for X, _ in batches] == [(4, 7, 1)] * 3 + [(4, 5, 1)]
        for X, y in batches:
            assert (X[-1] + 1 == y).all()
        orders.append(np.concatenate([y.numpy()[:, 0] for _, y in batches]))
        assert sorted(orders[-1]) == list(range(4, 30))
    assert orders[0].tolist() != orders[1].tolist()
    same = WindowLoader(np.arange(30.0), num_steps=4, batch_size=7, seed=1)
    assert (next(iter(same))[1].numpy()[:, 0] == orders[0][:7]).all()


@pytest.mark.parametrize("series", [[1, 2, np.nan, 4], [1, 2, np.inf, 4]])
def test_a_gap_is_refused_with_its_place(series):
    with pytest.raises(ValueError, match="value 2 of the series is (nan|inf)"):
        windows(series, 2)


def test_a_series_of_another_shape_or_too_short_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 1\)"):
        check_series(np.ones((3, 1)))
    with pytest.raises(ValueError, match="has 5 values; at least 6"):
        windows(range(5), 5)


def test_a_masked_value_is_a_gap():
    with pytest.raises(ValueError, match="value 1 of the series is nan"):
        windows(np.ma.masked_values([1, -99, 3, 4], -99), 2)


@pytest.mark.parametrize("num_steps", [0, -1, 2.0])
def test_a_window_needs_a_whole_number_of_steps(num_steps):
    for make in (windows, LinearAutoregression, lambda s, t: WindowLoader(s, t, 4)):
        with pytest.raises(ValueError, match=f"num_steps is {num_steps}; it must be"):
            make(np.arange(20.0), num_steps)


@given(st.integers(1, 6), st.integers(1, 20), st.integers(1, 9), st.integers(0, 5))
def test_an_epoch_is_every_window_once(num_steps, more, batch_size, seed):
    loader = WindowLoader(np.arange(num_steps + more), num_steps, batch_size, seed)
    sizes, labels = [], []
    for X, y in loader:
        assert (
            X[:, :, 0].numpy() == y.numpy().T - np.arange(num_steps, 0, -1)[:, None]
        ).all()
        sizes.append(len(y))
        labels += y.numpy()[:, 0].tolist()
    assert sorted(labels) == list(range(num_steps, num_steps + more))
    assert len(sizes) == len(loader) and all(size == batch_size for size in sizes[:-1])


def test_scaling_is_that_of_the_training_part_and_comes_back():
    scaling = Scaling.of([1.0, 3.0])
    assert (scaling.mean, scaling.std) == (2.0, 1.0)
    values = np.array([[0.0, 5.0]])
    assert scaling.apply(values).tolist() == [[-2.0, 3.0]]
    assert scaling.undo(scaling.apply(values)).tolist() == values.tolist()


@pytest.mark.parametrize("value", [4.0, 0.1, 1 / 3, 1e-9])
@pytest.mark.parametrize("times", [1, 2, 3, 7])
def test_values_without_spread_cannot_be_scaled(value, times):
    with pytest.raises(ValueError, match="no spread"):
        Scaling.of([value] * times)


@pytest.mark.parametrize("std", [0.0, -1.0, np.nan, np.inf])
def test_a_scaling_cannot_divide_by_nothing(std):
    with pytest.raises(ValueError, match=f"std is {std}; it must be"):
        Scaling(0.0, std)


# Rolling origin -----------------------------------------------------------------------


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 5), st.integers(0, 60))
def test_origins_leave_room_for_every_forecast(first, horizon, every, more):
    length = first + horizon + more
    origins = rolling_origins(length, first, horizon, every)
    assert origins[0] == first and (np.diff(origins) == every).all()
    assert origins[-1] + horizon <= length < origins[-1] + every + horizon


def test_past_and_future_meet_at_the_origin():
    series = np.arange(10.0)
    assert pasts_at(series, [3, 5], 3).tolist() == [[0, 1, 2], [2, 3, 4]]
    assert futures_at(series, [3, 5], 2).tolist() == [[3, 4], [5, 6]]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: rolling_origins(10, 8, 3), "10 values; 3 of them from value 8"),
        (lambda: rolling_origins(10, 8, 0), "horizon is 0"),
        (lambda: pasts_at(np.arange(9), [2, 5], 3), "origin 2 is not from 3 to 9"),
        (lambda: rolling_origins(10.0, 8, 1), "length is 10.0"),
        (lambda: pasts_at(np.arange(9), [5, 10], 3), "origin 10 is not from 3 to 9"),
        (lambda: pasts_at(np.arange(9), [5], 0), "num_steps is 0"),
        (lambda: pasts_at(np.arange(9), [], 3), r"origins has shape \(0,\)"),
        (lambda: pasts_at(np.arange(9), [[5]], 3), r"origins has shape \(1, 1\)"),
        (lambda: pasts_at(np.arange(9), [5.5], 3), "origins holds float64"),
        (lambda: futures_at(np.arange(9), [2, 7], 3), "origin 7 is not from 0 to 6"),
        (lambda: futures_at(np.arange(9), [-3, 5], 3), "origin -3 is not from 0 to 6"),
        (lambda: futures_at(np.arange(9), [2], 0), "horizon is 0"),
        (lambda: futures_at(np.arange(9), [2], 10), "no origin"),
        (lambda: seasonal_naive(np.ones((2, 5)), 3, 6), "has 5 values; 6 are needed"),
        (lambda: seasonal_naive(np.ones((2, 5)), 3, 0), "last values is 0"),
        (lambda: seasonal_naive(np.ones((2, 5)), 3, 2.5), "last values is 2.5"),
        (lambda: persistence(np.ones(5), 3), r"pasts has shape \(5,\)"),
        (lambda: persistence(np.ones((2, 0)), 3), "has 0 values; 1 are needed"),
        (lambda: on_changes(persistence)(np.ones((2, 1)), 3), "has 0 values; 1 are"),
        (lambda: METHODS["linear"](np.ones((2, 4)), 3), "has 4 values; 5 are needed"),
        (lambda: METHODS["linear"].one_step(np.ones((2, 4))), "has 4 values; 5 are"),
        (lambda: METHODS["network"](np.ones((2, 4)), 3), "has 4 values; 5 are needed"),
        (lambda: METHODS["network"].one_step(np.ones((2, 4))), "has 4 values; 5 are"),
        (lambda: METHODS["linear"](np.ones((2, 5)), 0), "horizon is 0"),
        (lambda: coverage(np.ones(3), np.ones(3), np.ones((3, 3))), r"shapes \(3,\)"),
        (lambda: LinearAutoregression(np.arange(11), 5), "11 values; at least 12"),
    ],
)
def test_what_does_not_fit_is_said(call, match):
    with pytest.raises(ValueError, match=match):
        call()


# Methods ------------------------------------------------------------------------------


def network(num_steps=5):
    paddle.seed(0)
    net = d2l.SequenceModel(nn.LSTM(1, 4, time_major=True), 1)
    return NetworkForecaster(net, num_steps, Scaling(10.0, 2.0))


NOISE = np.random.default_rng(0).standard_normal(60)
METHODS = {
    "persistence": persistence,
    "seasonal": lambda pasts, horizon: seasonal_naive(pasts, horizon, 7),
    "linear": LinearAutoregression(NOISE, 5),
    "changes": on_changes(LinearAutoregression(np.diff(NOISE), 5)),
    "network": network(),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_no_forecast_changes_with_the_future(method):
    rng = np.random.default_rng(1)
    series, origins = rng.standard_normal(50), np.array([20, 30])
    other = series.copy()
    before = method(pasts_at(series, origins[:1], 10), 4)
    other[20:] = 1e6
    assert before.shape == (1, 4)
    assert (method(pasts_at(other, origins[:1], 10), 4) == before).all()
    assert (method(pasts_at(other, origins[1:], 10), 4) != before).any()


@given(st.data())
def test_no_method_sees_past_its_origin_or_confuses_its_rows(data):
    num_steps, horizon = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 9))
    length = num_steps + horizon + data.draw(st.integers(0, 20))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    series = rng.standard_normal(length)
    origins = rolling_origins(length, num_steps, horizon)
    pasts, futures = (
        pasts_at(series, origins, num_steps),
        futures_at(series, origins, horizon),
    )
    for i, origin in enumerate(origins):
        assert pasts[i].tolist() == series[origin - num_steps : origin].tolist()
        assert futures[i].tolist() == series[origin : origin + horizon].tolist()
    season = data.draw(st.integers(1, num_steps))
    for row, said in zip(pasts, seasonal_naive(pasts, horizon, season)):
        known = row.tolist()
        for value in said:
            assert value == known[-season]
            known.append(value)
    repeated = persistence(pasts, horizon)
    assert (repeated == seasonal_naive(pasts, horizon, 1)).all()


@given(st.integers(1, 6), st.integers(1, 12), st.floats(0.1, 50), st.floats(-9, 9))
def test_the_line_does_not_depend_on_the_unit(num_steps, horizon, unit, zero):
    pasts = NOISE[None, :num_steps]
    line = LinearAutoregression(NOISE, num_steps)
    other = LinearAutoregression(zero + unit * NOISE, num_steps)
    said = other(zero + unit * pasts, horizon)
    assert said == pytest.approx(zero + unit * line(pasts, horizon), abs=1e-6)


@pytest.mark.parametrize("shape", [list, tuple, "a series of pandas"])
def test_a_line_takes_any_kind_of_series(shape):
    if isinstance(shape, str):
        pandas = pytest.importorskip("pandas")
        series = pandas.Series(NOISE, index=np.arange(60) / 12)  # years
    else:
        series = shape(NOISE.tolist())
    line = LinearAutoregression(series, 5)
    assert line.weights.tolist() == METHODS["linear"].weights.tolist()


@given(st.integers(0, 5), st.floats(-100, 100))
def test_forecasts_of_changes_move_with_the_series(more, up):
    method = on_changes(LinearAutoregression(np.diff(NOISE), 5))
    pasts = NOISE[None, : 6 + more]
    assert method(pasts + up, 4) == pytest.approx(method(pasts, 4) + up)


def test_a_network_of_several_outputs_is_not_taken_for_a_forecaster():
    net = d2l.SequenceModel(nn.LSTM(1, 4, time_major=True), 2)
    with pytest.raises(ValueError, match="too many values"):
        NetworkForecaster(net, 5, Scaling(0.0, 1.0)).one_step(np.ones((3, 5)))


def test_the_last_values_are_the_last():
    assert last_values([[1, 2, 3], [4, 5, 6]], 2).tolist() == [[2, 3], [5, 6]]


def test_the_naive_methods_repeat():
    pasts = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    assert persistence(pasts, 3).tolist() == [[4, 4, 4], [8, 8, 8]]
    assert seasonal_naive(pasts, 5, 3).tolist() == [[2, 3, 4, 2, 3], [6, 7, 8, 6, 7]]


@given(st.floats(0.05, 3), st.floats(0, 6), st.floats(-5, 5))
def test_a_sine_without_noise_obeys_a_line_of_two_values(frequency, phase, level):
    series = level + np.sin(frequency * np.arange(200) + phase)
    line, origins = LinearAutoregression(series[:100], 2), np.array([100])
    errors = line(pasts_at(series, origins, 2), 50) - futures_at(series, origins, 50)
    assert abs(errors).max() < 1e-5
    if frequency < 2.9:
        assert line.weights == pytest.approx([-1, 2 * np.cos(frequency)], abs=1e-4)


def test_the_line_is_that_of_statsmodels():
    autoreg = pytest.importorskip("statsmodels.tsa.ar_model").AutoReg
    theirs = autoreg(NOISE, lags=5).fit()
    ours = LinearAutoregression(NOISE, 5)
    assert [ours.constant, *ours.weights[::-1]] == pytest.approx(list(theirs.params))
    forecast = ours(NOISE[None, -5:], 8)[0]
    assert forecast == pytest.approx(theirs.predict(60, 67))


def test_a_free_run_takes_its_own_forecasts_for_values():
    seen = []

    def one_step(rows):
        seen.append(rows.copy())
        return rows.sum(axis=1)

    assert free_run(one_step, [[1, 2]], 3).tolist() == [[3, 5, 8]]
    assert [rows.tolist() for rows in seen] == [[[1, 2]], [[2, 3]], [[3, 5]]]
    drawn = free_run(lambda rows: rows[:, -1], [[0.0], [1.0]], 2, draw=np.arange)
    assert drawn.tolist() == [[0, 0], [2, 3]]


def test_changes_forecast_a_straight_line_on():
    straight = on_changes(persistence)(np.array([[1.0, 3.0], [5.0, 4.0]]), 3)
    assert straight.tolist() == [[5, 7, 9], [3, 2, 1]]


def test_a_network_reads_and_answers_in_the_unit_of_the_series():
    forecaster = network()
    pasts = 10 + 2 * np.random.default_rng(0).standard_normal((3, 8))
    X = ((pasts[:, -5:] - 10) / 2).T[..., None].astype("float32")
    expected = forecaster.net(paddle.to_tensor(X)).numpy()[:, 0] * 2 + 10
    assert forecaster(pasts, 2)[:, 0] == pytest.approx(expected, abs=1e-5)


def test_errors_and_coverage_count_what_they_say():
    assert rmse([[3.0, 4.0], [3.0, 4.0]], axis=0).tolist() == [3, 4]
    assert rmse([1.0, -1.0]) == 1
    truth = np.array([[0.0, 5.0], [0.0, 1.0]])
    assert coverage(truth * 0 - 1, truth * 0 + 1, truth).tolist() == [1.0, 0.5]
