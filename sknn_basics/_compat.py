"""Every private or undocumented name of other libraries that this package uses."""

# scikit-learn: what sends the news of callbacks from other processes.
from sklearn.callback._callback_context import get_context_path as context_path
from sklearn.callback._transport import close_listener, open_listener, send

__all__ = ["close_listener", "context_path", "open_listener", "send"]
