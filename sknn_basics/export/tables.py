"""Converters of what reads tables of numbers and texts."""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.base import is_classifier
from torch import Tensor, nn

from sknn_basics.export.converters import N_RECORDED, write_answer
from sknn_basics.export.graphs import Writer, record
from sknn_basics.modules.tabular import TabularNetworks
from sknn_basics.preprocessing.tables import OTHERS, TableEncoder, read_columns


def read_type(X, name: str) -> np.dtype:
    """Tell the data type of a column of a data frame, as NumPy's; texts are objects."""
    column = next(column for column in read_columns(X) if column.name == name)
    if not column.is_numeric():
        return np.dtype(object)
    dtype = getattr(column.values, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return dtype
    return np.dtype(bool) if str(dtype).lower() == "boolean" else np.dtype(np.float64)


class Encoding(nn.Module):
    """Columns of a table -> numbers and codes, as `TableEncoder.encode` makes them.

    Parameters
    ----------
    encoder : TableEncoder
        Fitted encoder.
    """

    def __init__(self, encoder: TableEncoder):
        super().__init__()
        if encoder.numbers != "robust":
            raise ValueError(
                f"TableEncoder(numbers={encoder.numbers!r}) cannot be converted to ONNX, which "
                "has no quantiles: fit one with numbers='robust'."
            )
        self.encoder = encoder
        self.dtype = torch.float64 if encoder.dtype == "float64" else torch.float32

    def forward(self, columns: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        encoder, x = self.encoder, columns
        parts = [self.scaled(x[i], *scale) for i, scale in encoder._scales_.items()]
        parts += [x[i].isnan().double() for i in encoder._marked_]
        parts += [(x[i] == torch.tensor(v)).double() for i, v in encoder._values_.items()]
        parts += [indicators(x[i], len(levels)) for i, levels in encoder._levels_.items()]
        codes = [x[i] + 1 for i in encoder._coded_]
        n_samples = next(iter(columns.values())).shape[0]
        numbers = torch.cat(parts, 1) if parts else torch.zeros(n_samples, 0)
        return numbers.to(self.dtype), torch.cat(codes, 1) if codes else None

    def scaled(self, numbers: Tensor, centre: float, factor: float) -> Tensor:
        """Scale numbers, and clip them softly."""
        scaled = (numbers - float(centre)) * float(factor)
        scaled = torch.where(scaled.isnan(), 0.0, scaled)
        clip = self.encoder.clip
        return scaled if clip is None else scaled / (1 + (scaled / clip).square()).sqrt()


def indicators(position: Tensor, n_levels: int) -> Tensor:
    """Mark each row's level; of two levels, by -1 and 1 in one column."""
    if n_levels == 2:
        return torch.where(position < 0, 0, 2 * position - 1).double()
    return (position == torch.arange(n_levels)).double()


class TableAnswer(nn.Module):
    """What an encoder or an ensemble for tables answers: columns -> one tensor.

    Parameters
    ----------
    model : TableEncoder, TabularClassifier or TabularRegressor
        What is fitted.
    places : sequence of int
        Number of the column that each input is.
    levels : dict of int to Tensor
        Levels of those categories that come as numbers.
    """

    def __init__(self, model, places: Sequence[int], levels: dict[int, Tensor]):
        super().__init__()
        self.model, self.places, self.levels = model, list(places), levels
        encoder = model if isinstance(model, TableEncoder) else model.encoder_
        self.encoding, self.networks = Encoding(encoder), None
        if model is not encoder:
            counted = np.flatnonzero(model.ensemble_weights_)
            self.networks = TabularNetworks(len(counted), **model._structure_)
            self.networks.rows.data = torch.from_numpy(model._rows_[counted])
            self.share = torch.from_numpy(model.ensemble_weights_[counted])[:, None, None]

    def forward(self, columns: list[Tensor]) -> Tensor:
        read = {
            i: find(x, *self.levels[i]) if i in self.levels else x
            for i, x in zip(self.places, columns, strict=True)
        }
        numbers, codes = self.encoding(read)
        if self.networks is None:
            return numbers if codes is None else torch.cat([numbers, codes.to(numbers.dtype)], 1)
        n_members = self.networks.n_members
        given = (None if x is None else x.expand(n_members, -1, -1) for x in (numbers, codes))
        return self.activate((self.networks(*given).double() * self.share).sum(0))

    def activate(self, output: Tensor) -> Tensor:
        """Turn mean outputs into probabilities, or into targets."""
        model = self.model
        if is_classifier(model):
            logits = output / model.__dict__.get("temperature_", 1.0)
            return logits.sigmoid() if model._is_multilabel_ else logits.softmax(-1)
        lowest, highest = map(torch.from_numpy, model._range_)
        scaled = output * torch.from_numpy(model._scale_) + torch.from_numpy(model._centre_)
        return torch.minimum(torch.maximum(scaled, lowest), highest)


def find(x: Tensor, values: Tensor, of_missing: int, of_others: int) -> Tensor:
    """Find the position of each number among the values of levels."""
    is_level = x == values
    position = is_level.long().argmax(1, keepdim=True)
    position = torch.where(is_level.any(1, keepdim=True), position, of_others)
    return torch.where(x.isnan(), of_missing, position)


def convert_table(scope, operator, container) -> None:
    """Convert what reads tables."""
    model, write = operator.raw_operator, Writer(scope, container, container.target_opset)
    encoder = model if isinstance(model, TableEncoder) else model.encoder_
    inputs, places, examples, levels = [], [], [], {}
    for i, (value, kind) in enumerate(split_columns(write, operator.inputs)):
        known = encoder._levels_.get(i, encoder._coded_.get(i))
        if known is None and i not in {*encoder._scales_, *encoder._marked_, *encoder._values_}:
            continue
        read, is_index = read_column(write, value, kind, known, encoder._names_[i])
        if known is not None and not is_index:
            levels[i] = as_numbers(known, kind)
        inputs.append(read)
        places.append(i)
        examples.append(
            torch.zeros(N_RECORDED, 1, dtype=torch.int64 if is_index else torch.float64)
        )
    if not inputs:
        raise ValueError("This model reads no column: all were the same in all rows.")
    answer = TableAnswer(model, places, levels)
    graph = record(answer, [examples], [[(0,)] * len(examples)], write.opset)
    (answered,) = write.paste(graph, inputs)
    write_answer(write, operator, answered)


def split_columns(write: Writer, inputs) -> list[tuple[str, type]]:
    """List names and types of the columns of inputs."""
    columns = []
    for variable in inputs:
        width = variable.type.shape[1]
        if width == 1:
            columns.append((variable.full_name, type(variable.type)))
            continue
        for i in range(width):
            place = write.constant(np.array([i]))
            column = write.add("Gather", variable.full_name, place, axis=1)
            columns.append((column, type(variable.type)))
    return columns


def read_column(write: Writer, value: str, kind: type, levels, name: str) -> tuple[str, bool]:
    """Read a column as numbers in double precision, or texts as positions among levels."""
    from onnx import TensorProto
    from skl2onnx.common.data_types import StringTensorType

    if not issubclass(kind, StringTensorType):
        return write.cast(value, TensorProto.DOUBLE), False
    if levels is None:
        raise ValueError(f"Column {name!r} was fitted as numbers, but comes as texts.")
    position = write.name("position")
    write.nodes(
        "LabelEncoder",
        [value],
        [position],
        domain="ai.onnx.ml",
        version=2,
        keys_strings=list(levels),
        values_int64s=list(range(len(levels))),
        default_int64=levels.index(OTHERS) if OTHERS in levels else -1,
    )
    return position, True


def as_numbers(levels: Sequence[str], kind: type) -> tuple[Tensor, int, int]:
    """Read levels as numbers (NaN where they are none), and where missing and others stand."""
    of_others = levels.index(OTHERS) if OTHERS in levels else -1
    values = []
    for level in levels:
        column = {"True": "1", "False": "0"}.get(level, level)
        try:
            values.append(float(column))
        except ValueError:
            values.append(np.nan)
    return (
        torch.tensor(values, dtype=torch.float64),
        levels.index("") if "" in levels else of_others,
        of_others,
    )
