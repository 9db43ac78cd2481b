"""Named sets of options, and the networks that they make."""

import random

import d2l_lstm as d2l
import numpy as np
import pytest
from d2l_lstm.recipes import RECIPES, Recipe, get_recipe, run_recipe, run_recipes

TEXT = "the time machine by h g wells " * 12
SMALL = dict(hidden=5, epochs=4, lr=2.0, batch_size=4, num_steps=10)


@pytest.fixture(scope="module")
def text():
    return d2l.load_corpus(TEXT)


def test_the_books_recipe_is_the_command_without_options():
    assert str(RECIPES["book"]) == "" and RECIPES["book"].regularisation is None
    recipe = RECIPES["book"]
    assert (recipe.hidden, recipe.epochs, recipe.lr) == (256, 500, 1.0)


def test_a_recipe_reads_as_the_options_of_the_command():
    recipe = Recipe(hidden=64, lr=8.0, weight_decay=1e-4, average_from=11)
    assert str(recipe) == (
        "--hidden 64 --lr 8.0 --weight-decay 0.0001 --average-from 11"
    )


def test_the_best_recipe_is_regularised_and_averaged():
    recipe = RECIPES["best"]
    assert recipe.regularisation is not None
    assert 1 <= recipe.average_from <= recipe.epochs and recipe.patience is None


def test_an_unknown_recipe_is_refused():
    with pytest.raises(ValueError, match="'good'; choose book, best"):
        get_recipe("good")


def test_without_regularisation_it_is_the_books_loop(text):
    corpus, vocab = text
    trained = run_recipe(Recipe(**SMALL), 3, corpus, vocab)
    d2l_seed(3)
    net = d2l.scratch_model("lstm", len(vocab), 5)
    loader = d2l.SeqDataLoader(4, 10, corpus=corpus, vocab=vocab)
    history = d2l.train_ch8(net, loader, vocab, 2.0, 4, progress=False)
    assert trained.history.train == pytest.approx(history.train, rel=1e-6)
    for ours, param in zip(trained.network().params, net.params):
        np.testing.assert_allclose(ours.numpy(), param.numpy(), atol=1e-6)


def d2l_seed(seed):
    import paddle

    random.seed(seed)
    np.random.seed(seed)
    paddle.seed(seed)


def test_averaged_weights_and_the_last_are_both_there(text):
    trained = run_recipe(Recipe(**SMALL, average_from=3), 1, *text)
    assert any((trained.weights[n] != trained.last[n]).any() for n in trained.last)
    plain = run_recipe(Recipe(**SMALL), 1, *text)
    for name, values in plain.weights.items():
        np.testing.assert_array_equal(values, trained.last[name])
        np.testing.assert_array_equal(values, plain.last[name])


def test_patience_keeps_the_best_weights(text):
    corpus, vocab = text
    recipe = Recipe(**SMALL | {"epochs": 30, "lr": 8.0, "patience": 5})
    trained = run_recipe(recipe, 1, corpus, vocab, valid=corpus[::-1])
    assert trained.history.stopped == "early stopping"
    assert any((trained.weights[n] != trained.last[n]).any() for n in trained.last)


def test_runs_in_several_processes_are_the_same_runs(text):
    recipes = {"a": Recipe(**SMALL, dropout_hidden=0.3), "b": Recipe(**SMALL)}
    one, two = (run_recipes(recipes, (1, 2), *text, processes=p) for p in (1, 2))
    for name in recipes:
        assert [t.seed for t in one[name]] == [1, 2]
        for a, b in zip(one[name], two[name]):
            assert a.recipe == recipes[name]
            for parameter in a.weights:
                np.testing.assert_array_equal(
                    a.weights[parameter], b.weights[parameter]
                )
