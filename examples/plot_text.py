"""
==============================
Write like Python's own manual
==============================

A recurrent network reads the help texts of Python's keywords character by character, and learns
to continue them. What it writes depends on the temperature: low ones repeat what is likely, high
ones make up words. How much it has learnt is measured in bits a character, on texts that it has not
read.

    python examples/plot_text.py                  # a part of the texts
    SKNN_FULL=1 python examples/plot_text.py      # all texts, for longer
"""

import os
import time
import warnings
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

is_full = os.environ.get("SKNN_FULL") == "1"
text = "\n".join(topics[name] for name in sorted(topics))
text = text if is_full else text[:50_000]
n_train = len(text) * 9 // 10
train, test = text[:n_train], text[n_train:]
print(f"{len(train):,} characters to read, {len(test):,} to be measured on")

# %%
# The network
# -----------
# After every epoch it writes a line. The vocabulary covers the texts it is measured on.

options = {
    "hidden_layer_sizes": (128, 128) if is_full else (96,),
    "vocabulary": sorted(set(text)),
    "batch_size": 50,
    "learning_rate_init": 0.002 if is_full else 0.005,
    "max_iter": 10 if is_full else 4,
    "random_state": 0,
}


def show(line):
    print("   ", line.replace("\n", " "))


callback = PrintText(70, seed="The ", write=show)
model = TextGenerator(**options, callbacks=[callback]).fit(train, X_val=test)
print(model.summary())

# %%
# Three temperatures
# ------------------

for temperature in (0.5, 1.0, 1.5):
    written = model.generate(240, seed="The ", temperature=temperature, random_state=0)
    print(f"\nTemperature {temperature}:\nThe {written}")

# %%
# Every token, or the last one
# ----------------------------
# A window of 40 characters has 40 characters that follow another one. A network that is taught the
# last of them alone learns less from an epoch that costs as much.

last = TextGenerator(**options, target="last").fit(train, X_val=test)

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for network, label in ((model, "every character of a window"), (last, "the last character alone")):
    bits = -network.history_["valid_score"]
    ax.plot(np.arange(1, len(bits) + 1), bits, marker="o", label=f"taught {label}")
    print(f"taught {label}: {bits[-1]:.2f} bits a character")
ax.axhline(np.log2(len(model.tokens_)), color="grey", linestyle=":", label="all as likely")
ax.set(xlabel="Epoch", ylabel="Bits a character", title="Help texts that were not read")
ax.legend()
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
