"""
===========================================
A text generator that reads Python's manual
===========================================

A recurrent network reads the help texts of Python's keywords character by character, and learns to
continue them. What it writes depends on the temperature: low ones repeat what is likely, high ones
invent words. Its quality is measured in bits per character, on texts that it has not read, and
compared with counts of successive characters.

.. code-block:: shell

    python examples/plot_text.py              # a part of the texts
    SKNN_FULL=1 python examples/plot_text.py  # all texts and a larger network, for longer
"""

import os
import time
import warnings
from collections import Counter
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sknn_basics import TextGenerator
from sknn_basics.training.callbacks import PrintText

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant

# %%
# The texts
# ---------
# The last tenth is held out. Text has an order, so no part of the tenth is among what is read.

is_full = os.environ.get("SKNN_FULL") == "1"
text = "\n".join(topics[name] for name in sorted(topics))
text = text if is_full else text[:80_000]
n_train = len(text) * 9 // 10
train, test = text[:n_train], text[n_train:]
tokens = sorted(set(text))
print(
    f"{len(train):,} characters to read, {len(test):,} to be measured on, {len(tokens)} different"
)

# %%
# Counts as a baseline
# --------------------
# A network has to be better than counts of how often each character followed four others, with one
# added to every count. Guessing takes the logarithm of the number of characters.


def bits_of_ngrams(n):
    grams = Counter(train[i : i + n] for i in range(len(train) - n + 1))
    contexts = Counter(train[i : i + n - 1] for i in range(len(train) - n + 1))
    ends = range(n, len(test) + 1)
    seen = np.array([(grams[test[i - n : i]], contexts[test[i - n : i - 1]]) for i in ends])
    return -np.log2((seen[:, 0] + 1) / (seen[:, 1] + len(tokens))).mean()


bits = {f"{n} characters in a row": bits_of_ngrams(n) for n in (3, 5)}

# %%
# The network
# -----------
# It reads windows of 40 characters, and is asked at each character for the next one. After every
# epoch it writes a line. The vocabulary is that of all texts, so that those held out have no
# unknown characters.

options = {
    "hidden_layer_sizes": (128, 128) if is_full else (96,),
    "step": 10,
    "vocabulary": tokens,
    "batch_size": 50,
    "learning_rate_init": 0.003 if is_full else 0.005,
    "max_iter": 4,
    "random_state": 0,
}


def show(line):
    print("   ", line.replace("\n", " "))


callback = PrintText(70, prompt="The ", write=show)
model = TextGenerator(**options, callbacks=[callback]).fit(train, X_val=test)
print(model.summary())

# %%
# Three temperatures
# ------------------

for temperature in (0.5, 1.0, 1.5):
    written = model.generate("The ", 240, temperature=temperature, random_state=0)
    print(f"\nTemperature {temperature}:\nThe {written}")

# %%
# Every character, or the last one
# --------------------------------
# A window of 40 characters has 40 that are followed by another one. A network whose only
# target is the one after the window learns less from an epoch that takes as long.

last = TextGenerator(**options, target="last").fit(train, X_val=test)
networks = {"every character of a window": model, "the last character alone": last}
bits |= {f"a network taught {name}": -network.score(test) for name, network in networks.items()}
print("\nBits a character of texts that were not read")
for name, value in bits.items():
    print(f"{value:.2f} by {name}")
print("Better than 5 characters in a row:", -model.score(test) < bits["5 characters in a row"])

# %%
# Bits per character by epoch
# ---------------------------

figure, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
for (name, network), color in zip(networks.items(), ("C0", "C1")):
    epochs = np.arange(1, network.n_iter_ + 1)
    held_out = -network.history_["valid_score"]
    ax.plot(epochs, held_out, marker="o", color=color, label=f"taught {name}")
    ax.plot(epochs, np.array(network.loss_curve_) / np.log(2), "--", color=color)
for n, style in ((3, "-."), (5, ":")):
    value = bits[f"{n} characters in a row"]
    ax.axhline(value, color="grey", linestyle=style, label=f"counts of {n} characters in a row")
ax.plot([], [], "--", color="black", label="while reading")
ax.set(xlabel="Epoch", ylabel="Bits per character", title="Help texts that were not read")
ax.set_xticks(epochs)
ax.legend()
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
