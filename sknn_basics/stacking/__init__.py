"""Many fits trained as one network: the room of ``joblib.parallel_config(backend="stacked")``.

Nothing outside of this folder needs it, and only `sknn_basics.parallel` imports it. Read
``backend.py`` for who runs when, ``rounds.py`` for what is trained together, ``stack.py`` for how,
``blocks.py`` for networks of one structure in a stack, and ``padding.py`` for different widths.

The words
---------
task
    What joblib was given to call: mostly a fit and a score of a search. Each has a thread.
turn
    The time in which one task's thread runs, and no other one. `Turns` gives them.
fit
    A training whose epochs wait to be made (`sknn_basics.training.net.Fit`). A task may make
    several, one after another.
round
    An epoch of every fit that waits (`Rounds`).

In a round, fits of one setting (data type, device, shape of samples) form a group (`Group`), whose
nets are one stack (`Stack`), or one per processor.

source
    A sequence of batches that some nets of a stack see. They are neighbours in their blocks.
block
    The nets of a stack whose layers are one batched matrix multiplication each (`Block`): those of
    one `structure`, or of several widths that are padded with zeros (`join_widths`).
step
    What all neighbours do whose next batches have about one length (`Neighbours`): the part of each
    block (`Part`) computes its gradients, and one joint optimiser updates all. Nets of a source
    that has no batch left rest.

The states of a task
--------------------
::

                     first turn                   returns or fails
    add ──► queued ──────────────► has the turn ────────────────────────► done
                                    │  ▲   │  ▲
      its net is about to train     │  │   │  │ all tasks of its own are done
      an epoch: `Task.train`        │  │   │  │
                                    │  │   ▼  │
                                    │  │  rests, waits for tasks that it has started itself
                                    ▼  │
            ┌──────────────────► waits for a round
            │                       │  ▲   │
            │ `Rounds.train`, once  │  │   │ the fit has ended, failed, or a callback that is
            │ no task is ready      │  │   │ of others is to be told: back to its own thread
            │                       ▼  │   ▼
            │                    epoch made ──► ready ──► has the turn (above)
            └───────────────────────┘
              no thread is needed: `Turns.advance` notes the epoch and asks the callbacks

    has the turn ── computes nothing for `PATIENCE` seconds ──► overdue: others continue meanwhile
    any state    ── Ctrl-C, or another task has failed       ──► cancelled, then done

Invariants: one thread has the turn, and no other but those that train for all touches nets; a net's
weights are its own memory once its fit has ended, and views into those of its stack meanwhile.

What it asks of the training room
---------------------------------
- ``TRAINER``, a context variable: who makes the steps of a `Fit` in place of the net.
- ``Net.pass_over``, ``reported_losses``, ``bytes_of_step``, and what a net says of itself:
  ``watches_batches``, ``watches_gradients``, ``runs_foreign_code``, ``may_be_replayed``.
- ``Batches.key``, ``equals``, ``reshuffle``, ``rows_of_block``; ``ArrayDataset.whole``,
  ``read_into``, ``share_with``, ``describe_samples``: which fits see the same samples, and where
  these lie.
- ``Adam.kept`` and ``fused_tensors``: one fused step for tensors that lie side by side.
- ``Replayed``, which records on a GPU what a step computes up to its gradient, and
  ``update_averages``.
- ``own_memory``, which `Net.fit_loop` calls at its end: weights and moments leave the stack.
"""
