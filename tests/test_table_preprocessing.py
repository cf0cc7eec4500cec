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


@pytest.mark.parametrize(
    "dtype", ["Float64", "Int64", "float64[pyarrow]", "int64[pyarrow]", "int8"]
)
def test_numbers_of_every_dtype_are_read(dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    column = pd.Series([1, 2, 3, 5]).astype(dtype)
    expected = TableEncoder().fit_transform(np.array([[1.0], [2.0], [3.0], [5.0]]))
    np.testing.assert_array_equal(TableEncoder().fit_transform(column.to_frame("x")), expected)


@pytest.mark.parametrize("dtype", ["category", "string", "object", "string[pyarrow]"])
def test_strings_of_every_dtype_are_read(dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    X = pd.DataFrame({"x": ["a", "b", None, "c"]}).astype({"x": dtype})
    encoder = TableEncoder().fit(X)
    assert encoder.get_feature_names_out().tolist() == ["x_missing", "x_a", "x_b", "x_c"]
    np.testing.assert_array_equal(encoder.transform(X).argmax(1), [1, 2, 0, 3])


def test_levels_are_the_same_in_whole_numbers_and_others():
    encoder = TableEncoder([0]).fit(np.array([[1], [2], [3]]))
    np.testing.assert_array_equal(
        encoder.transform(np.array([[3.0], [np.nan]])), [[0, 0, 1], [0, 0, 0]]
    )


def test_many_levels_become_codes():
    X = pd.DataFrame({"town": ["a", "b", "c", "a", "b", "d"], "size": [1.0, 2, 3, 4, 5, 6]})
    encoder = TableEncoder(max_categories=2, many_categories="codes").fit(X)
    assert encoder.get_feature_names_out().tolist() == ["size", "town_code"]
    # Levels seen once share 0 with those never seen.
    assert encoder.transform(X)[:, 1].tolist() == [1, 2, 0, 1, 2, 0]
    assert encoder.n_levels_ == [3]


def test_ranks_of_numbers_are_normal():
    X = np.random.RandomState(0).exponential(size=(2000, 1)) ** 3
    encoded = TableEncoder(numbers="quantile").fit_transform(X)
    assert abs(encoded.mean()) < 0.05
    assert abs(encoded.std() - 1) < 0.05
    assert np.corrcoef(np.argsort(np.argsort(X[:, 0])), encoded[:, 0])[0, 1] > 0.95


def test_constant_and_missing_columns_are_left_out():
    X = np.array([[1.0, 5.0, np.nan], [2.0, 5.0, np.nan], [4.0, 5.0, np.nan]])
    assert TableEncoder().fit(X).get_feature_names_out().tolist() == ["x0"]


def test_free_text_is_refused_by_name():
    texts = [f"the customer number {i} called about an invoice" for i in range(30)]
    with pytest.raises(ValueError, match="'note' holds free text.*skrub"):
        TableEncoder().fit(pd.DataFrame({"note": texts}))


def test_infinite_numbers_are_refused_by_name():
    with pytest.raises(ValueError, match="infinity in column 'size'"):
        TableEncoder().fit(pd.DataFrame({"size": [1.0, np.inf]}))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [([True], "a mask of 1 for 2"), ([2], "below 2"), (["c"], r"does not have: \['c'\]")],
)
def test_columns_that_do_not_exist_are_named(chosen, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder(chosen).fit(pd.DataFrame({"a": [1, 2], "b": [3, 4]}))


def test_strings_taken_as_numbers_are_named():
    with pytest.raises(ValueError, match="'a' is taken as numeric"):
        TableEncoder(categorical_features=None).fit(pd.DataFrame({"a": ["x", "y"]}))


def test_frames_come_out_with_names(table):
    encoded = TableEncoder().set_output(transform="pandas").fit_transform(table)
    assert encoded.columns[0] == "size"
    assert encoded.shape == (5, 8)
