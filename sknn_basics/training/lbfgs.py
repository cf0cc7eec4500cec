"""Training by L-BFGS on all samples at once."""

import warnings

import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from sklearn.exceptions import ConvergenceWarning

from sknn_basics.training.batches import ArrayDataset
from sknn_basics.training.callbacks import NON_FINITE
from sknn_basics.training.net import Net


class LBFGSNet(Net):
    """A net whose epochs are the iterations of SciPy's L-BFGS-B.

    Parameters
    ----------
    gtol : float
        Largest component of the projected gradient at which the search ends.
    max_fun : int
        Largest number of evaluations of the loss.
    **kwargs
        Parameters of `Net`; `optimizer` and its learning rate are not used for steps.

    Attributes
    ----------
    result_ : scipy.optimize.OptimizeResult
        Result of the search.

    References
    ----------
    Byrd, Lu, Nocedal and Zhu. "A limited memory algorithm for bound constrained optimization."
    SIAM Journal on Scientific Computing 16.5 (1995): 1190-1208.
    """

    steps_take_all = True

    def __init__(self, *args, gtol: float, max_fun: int, **kwargs):
        super().__init__(*args, **kwargs)
        self.gtol, self.max_fun = gtol, max_fun

    @property
    def _default_callbacks(self):
        return []

    def run_epochs(self, train: ArrayDataset, valid: ArrayDataset | None, epochs: int) -> None:
        start = torch.cat([p.detach().flatten() for p in self.trainable_]).numpy(force=True)
        self.result_ = reached = OptimizeResult(x=start, fun=np.nan)
        if not epochs:
            # SciPy would make an iteration.
            return
        if self.is_known():
            return
        batches = self.get_iterator(train, training=False)
        valid_batches = None if valid is None else self.get_iterator(valid, training=False)
        self._set_training(True)
        datasets = {"dataset_train": train, "dataset_valid": valid}

        def end_iteration(intermediate_result: OptimizeResult) -> None:
            reached.update(x=intermediate_result.x.copy(), fun=intermediate_result.fun)
            self.notify("on_epoch_begin", **datasets)
            self.set_parameters(reached.x)
            self.record_with_best("train_loss", float(reached.fun))
            if valid_batches is not None:
                self.record_epoch("valid", *self.pass_over(valid_batches, "valid"))
            self.end_epoch(**datasets)
            if self.stop_reason_ is not None:
                raise StopIteration
            self._set_training(True)

        try:
            self.result_ = minimize(
                self.loss_and_gradient,
                start,
                args=(batches,),
                method="L-BFGS-B",
                jac=True,
                callback=end_iteration,
                options={"maxfun": self.max_fun, "maxiter": epochs, "gtol": self.gtol},
            )
        except KeyboardInterrupt:
            # What the network holds may be a trial of the line search.
            self.result_ = reached
            raise
        finally:
            self.set_parameters(reached.x)
        self.set_parameters(self.result_.x)
        self.check_result()

    def is_known(self) -> bool:
        """Load the result from a checkpoint, if there is one of the whole training.

        The state of an unfinished search is SciPy's: it is repeated.
        """
        saved = self.recording and self.recording.saved
        if not (saved and saved["state"]["has_ended"]):
            return False
        self.go_on(0)
        self.result_ = OptimizeResult(saved["state"]["result"])
        self.check_result()
        return True

    def state_of_search(self) -> dict:
        names = ("fun", "nit", "success", "status", "message")
        return {name: self.result_[name] for name in names if name in self.result_}

    def check_result(self) -> None:
        """Raise if the loss is not finite, warn if the search has not converged."""
        if not np.isfinite(self.result_.fun):
            raise ValueError(
                f"Training diverged: the loss is {self.result_.fun} after "
                f"{self.result_.nit} iterations of L-BFGS. {NON_FINITE} Scale X (and a "
                "regression's y)."
            )
        if not self.result_.success and self.stop_reason_ is None:
            warnings.warn(
                f"lbfgs failed to converge after {self.result_.nit} iteration(s) "
                f"(status={self.result_.status}):\n{self.result_.message}\n"
                "Increase the number of iterations (max_iter) or scale the data.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def final_loss(self) -> float:
        return float(self.result_.fun)

    def set_parameters(self, vector: np.ndarray) -> None:
        """Copy a vector of all trained parameters into the module."""
        start = 0
        for parameter in self.trainable_:
            part = vector[start : start + parameter.numel()]
            parameter.data.copy_(torch.from_numpy(part).view(parameter.shape))
            start += parameter.numel()

    def loss_and_gradient(self, vector: np.ndarray, batches) -> tuple[float, np.ndarray]:
        """Compute the mean loss over all samples, with the L2 penalty, and its gradient."""
        self.set_parameters(vector)
        self.module_.zero_grad()
        total_weight = _total_weight(batches.dataset)
        loss = 0.0
        for X, y, weight in batches:
            losses = self.criterion_(self.module_(X), y)
            share = (losses.sum() if weight is None else losses @ weight) / total_weight
            share.backward()
            loss += share.item()
        if penalty := self.decay(self.alpha / total_weight):
            scale, norms = penalty
            loss += 0.5 * scale * torch.stack(norms).square().sum().item()
        gradient = torch.cat([parameter.grad.flatten() for parameter in self.trainable_])
        return loss, gradient.numpy(force=True)


def _total_weight(dataset) -> float:
    return float(len(dataset) if dataset.weights is None else dataset.weights.sum())
