import numpy as np
import pytest

from sknn_basics.preprocessing import TableEncoder

pd = pytest.importorskip("pandas")


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "size": [1.0, 2.0, np.nan, 4.0, 100.0],
            "colour": ["red", "blue", None, "red", "green"],
            "is_new": pd.array([True, False, None, True, False], dtype="boolean"),
            "constant": 3,
        }
    )


def test_names_follow_the_columns_of_the_result(table):
    encoder = TableEncoder().fit(table)
    assert encoder.get_feature_names_out().tolist() == [
        *("size", "is_new", "size_missing", "is_new_missing"),
        *("colour_missing", "colour_blue", "colour_green", "colour_red"),
    ]
    assert encoder.transform(table).shape == (5, 8)


def test_numbers_are_centred_scaled_and_clipped(table):
    encoded = TableEncoder().fit_transform(table)[:, 0]
    # Of 1, 2, 4, 100 the median is 3, and the quartiles are 1.75 and 28.
    scaled = (np.array([1, 2, 3, 4, 100]) - 3) / 26.25
    np.testing.assert_allclose(encoded, scaled / np.sqrt(1 + (scaled / 3) ** 2), rtol=1e-6)


def test_unseen_levels_become_zeros(table):
    encoder = TableEncoder().fit(table[["colour"]])
    assert not encoder.transform(pd.DataFrame({"colour": ["black"]})).any()


def test_rare_levels_share_an_indicator():
    X = pd.DataFrame({"town": ["a"] * 3 + ["b"] * 2 + ["c", "d"]})
    encoder = TableEncoder(max_categories=3).fit(X)
    names = encoder.get_feature_names_out().tolist()
    assert names == ["town_a", "town_b", "town_…"]
    np.testing.assert_array_equal(encoder.transform(X).argmax(1), [0, 0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("chosen", [["a"], [0], [True, False]])
def test_columns_of_categories_can_be_chosen(chosen):
    X = pd.DataFrame({"a": [1, 2, 3], "b": [1.0, 2.0, 3.0]})
    names = TableEncoder(chosen).fit(X).get_feature_names_out().tolist()
    assert names == ["b", "a_1", "a_2", "a_3"]


def test_dates_are_refused_by_name():
    X = pd.DataFrame({"size": [1.0, 2.0], "sold": pd.to_datetime(["2020-01-01", "2021-01-01"])})
    with pytest.raises(ValueError, match="'sold'.*skrub"):
        TableEncoder().fit(X)


def test_lists_are_refused_by_name():
    with pytest.raises(ValueError, match="'words'.*skrub"):
        TableEncoder().fit(pd.DataFrame({"words": [["a"], ["b"]]}))


def test_polars_gives_what_pandas_gives(table):
    polars = pytest.importorskip("polars")
    columns = {"size": [1.0, 2.0, None, 4.0, 100.0], "colour": ["red", "blue", None, "red", "x"]}
    frames = pd.DataFrame(columns), polars.DataFrame(columns)
    expected, got = (TableEncoder().fit_transform(frame) for frame in frames)
    np.testing.assert_array_equal(got, expected)
