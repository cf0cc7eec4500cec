"""Docstrings of parameters and attributes that many estimators share, written once.

`make docstrings` writes them into the docstrings of the classes, with the default that each class
has; `make lint` fails where they differ. A text that only one class has stands in its docstring.
"""

import ast
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, fill, indent
from types import MappingProxyType
from typing import NamedTuple

PARAMETERS = {
    "hidden_layer_sizes": """array-like of int, default=(100,)
Number of units of each hidden layer.""",
    "activation": """str or nn.Module class, default='relu'
Activation of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', or any other
elementwise activation of `torch.nn` in lower case ('elu', 'gelu', 'leaky_relu', 'silu', ...),
or a class that is called without arguments.""",
    "solver": """str or torch.optim class, default='adam'
'sgd', 'adam', 'adamw', 'adamax', 'nadam', 'radam', 'rmsprop', 'adagrad', 'adadelta'; 'muon' for
Muon on the matrices of hidden layers and AdamW on everything else; 'lbfgs'
for SciPy's L-BFGS-B on all samples at once, in double precision; or a class or function that is
called with the parameters and the learning rate as ``lr``, and keeps its own defaults.""",
    "alpha": """float, default=0.0001
Strength of the L2 penalty on weights, divided by the number of samples of a batch. With
``solver='adamw'`` or ``'muon'`` it is the decoupled weight decay instead: each step multiplies
weights, but not biases, by 1 - learning rate * `alpha`, and the loss has no penalty.""",
    "batch_size": """int or 'auto', default='auto'
Number of samples per batch; 'auto' is ``min(200, n_samples)``.""",
    "learning_rate": """str, Schedule or callable, default='constant'
Schedule of the learning rate: 'constant', 'invscaling', 'adaptive' (as in scikit-learn; the
last two have no effect on solver 'adam'), 'step', 'exponential', 'cosine', 'one_cycle',
'reduce_on_plateau'; an instance of a class of `sknn_basics.training.schedules`, which may also
change it after every step; or a function that returns the learning rate for an epoch, counted
from 0, in which case `learning_rate_init` is not used. 'cosine' and 'one_cycle' end after
`max_iter` epochs: further calls of ``partial_fit`` keep the last learning rate, and warn; a
warm start begins anew.""",
    "learning_rate_init": """float or 'auto', default=0.001
Initial learning rate. 'auto' is the usual one of the solver: 0.01 for 'sgd' and 'adagrad',
0.002 for 'adamax' and 'nadam', 1.0 for 'adadelta', and 0.001 for the others.""",
    "power_t": """float, default=0.5
Exponent of 'invscaling'.""",
    "max_iter": """int, default=200
Largest number of epochs, or of iterations of 'lbfgs'.""",
    "shuffle": """bool, default=True
Whether to shuffle the samples in every epoch.""",
    "random_state": """int, RandomState instance or None, default=None
Source of initial weights, validation split, order of samples, dropout and noise. With an int,
the same data give bitwise identical results on the same device. If steps are large (batch size
times parameters above 2**22), results on other numbers of threads differ by rounding.""",
    "tol": """float, default=0.0001
A smaller improvement of the monitored loss or score counts as none.""",
    "verbose": """bool or int, default=False
Whether to print one line per epoch.""",
    "warm_start": """bool, default=False
Whether `fit` starts from the weights of the last fit. In between, you may change all parameters
that do not affect what the network predicts (its layers, activations and data type): dropout,
noise, largest norms, penalties, class weights, loss, solver, schedule and the like. Best values and
patience are kept only if the loss or score and the samples are the same.""",
    "momentum": """float in [0, 1], default=0.9
Momentum of 'sgd'.""",
    "nesterovs_momentum": """bool, default=True
Whether 'sgd' uses Nesterov's momentum.""",
    "early_stopping": """bool, default=False
Whether to hold out a part of the samples, stop when their score does not improve by `tol` for
`n_iter_no_change` epochs, and restore the best weights. Has no effect on 'lbfgs'.""",
    "validation_fraction": """float in [0, 1), default=0.1
Share of the samples to hold out, stratified by class if every class has enough samples. A warm
start holds out the same rows again.""",
    "beta_1": """float in [0, 1), default=0.9
Decay rate of the first moment, of Adam and its variants.""",
    "beta_2": """float in [0, 1), default=0.999
Decay rate of the second moment, of Adam and its variants.""",
    "epsilon": """float, default=1e-8
Stabilises the division, of Adam, its variants and 'rmsprop'.""",
    "n_iter_no_change": """int or inf, default=10
Number of epochs without improvement after which the training ends.""",
    "max_fun": """int, default=15000
Largest number of evaluations of the loss by 'lbfgs'.""",
    "dropout": """float in [0, 1) or array-like of float, default=0.0
Probability of dropping a unit's output in training; one value, or one per hidden layer.""",
    "normalization": """{'batch', 'layer'} or None, default=None
Normalization between the linear part and the activation of each hidden layer.""",
    "max_norm": """float or None, default=None
Largest norm of the incoming weights of a hidden unit: larger ones are rescaled after every
step.""",
    "input_noise": """float, default=0.0
Standard deviation of normal noise that is added to X in training.""",
    "weight_init": """str or callable, default='auto'
'auto' draws weights and biases as scikit-learn does; 'uniform' (±0.01), 'normal' (0.05),
'glorot_uniform', 'glorot_normal', 'he_uniform', 'he_normal', 'lecun_uniform',
'lecun_normal', 'orthogonal' set biases to zero, and so does a function
``(weight, *, generator)`` as in `torch.nn.init`.""",
    "quantile": """float, array-like of float or None, default=None
Levels of the quantiles that ``loss='quantile'`` predicts: one, or several that increase, which
become the columns of predictions and never cross.""",
    "class_weight": """dict, list of dict, 'balanced' or None, default=None
Weight of each class, multiplied with `sample_weight`; 'balanced' is inversely proportional to
the classes' frequencies in the training data, and weighs validation data the same.""",
    "label_smoothing": """float in [0, 1], default=0.0
Share of each target that is spread evenly over the classes.""",
    "adversarial_training": """float, dict or None, default=None
Radius of a ball around each sample, in which the sample is changed before each step so that its
loss is large. Small changes then mislead the network less. Values change by at most this
radius, within the range of X. A dict has a 'radius' and, optionally, 'norm' ('linf' or 'l2'),
'n_steps' (7 by default) and 'bounds'. A fit takes longer by a factor of about the number of
these steps. See `sknn_basics.inspection.adversarial`.""",
    "clip_grad_norm": """float or None, default=None
Largest norm of the gradient of all parameters together.""",
    "average_decay": """float in (0, 1) or None, default=None
Decay of a running average of the weights over the steps, for example 0.999. The average, which
varies less with the last batches, replaces the weights when the network is validated and when
the training ends. 'train_loss' is that of the weights themselves. Each fit, and each call of
``partial_fit``, starts a new average.""",
    "layer_rates": """dict of str to float or None, default=None
Factors of the learning rate by names of layers, with wildcards: ``{"features*": 0.1}`` trains a
pretrained part more slowly. The first name that matches is used; other layers have the factor
1.""",
    "max_time": """float or None, default=None
Largest number of seconds of a fit: no epoch begins that would end later, if it took as long as the
longest one so far. With validation data, the weights with the best score are kept, as with
`early_stopping`. The number of epochs depends on the machine.""",
    "init_from": """fitted estimator, skorch net, mapping, path or None, default=None
Source of the initial weights of some layers: another neural estimator or a pipeline that ends
in one, in a `sklearn.frozen.FrozenEstimator` so that `clone` keeps its weights; tensors or
arrays by name, such as ``module.state_dict()``; or a file of `save_weights`, of `torch.save`
(read without running any code), of a skorch checkpoint or of safetensors. The other layers get
random weights.""",
    "init_layers": """str, list of str, dict or None, default=None
Names of the layers to take from `init_from`, with wildcards as in `fnmatch` ('hidden*'); or a
dict of how names begin there and here, ``{"backbone": "features"}``, where '' is any beginning.
None takes all layers except the output, and raises an error if they differ; from an
autoencoder, it takes the layers of the encoder except those of the latent variables.""",
    "frozen_layers": """str, list of str or None, default=None
Names of the layers whose weights are kept as they are, with wildcards ('block*'). With
`warm_start`, each `fit` freezes and unfreezes layers anew.""",
    "scoring": """str, callable or None, default=None
What is recorded on the validation data and watched by `early_stopping`: a scorer of
scikit-learn, 'loss', or None for the estimator's own score. Epochs whose score is NaN are ignored;
the first one warns.""",
    "callbacks": """list of skorch callbacks or None, default=None
Called during the training, after the estimator's own.""",
    "device": """str or torch.device, default='auto'
Where to compute: 'auto' is a CUDA GPU if there is one, and the CPU otherwise. After a fit,
``net_.device`` is the device that was used.""",
    "dtype": """{'auto', 'float32', 'float64', 'bfloat16'}, default='auto'
Data type of the network. 'auto' is float32, but float64 for 'lbfgs' and, on a CPU, for small
samples: up to 32 values, and up to 2**19 multiplications of the network per sample. It depends
neither on the number of samples nor on the data type of X. 'float32' is faster for such
samples: dense networks by up to half, LSTM layers two to four times. 'bfloat16' keeps weights
in float32, and computes matrix multiplications and convolutions in bfloat16, which is faster on
recent GPUs.""",
    "compile": """bool, default=False
Whether to compile the network with `torch.compile`.""",
    "cuda_graphs": """bool, default=True
Whether steps on a GPU are recorded and replayed as CUDA graphs, which takes the processor less time
than to launch their kernels one by one; results are the same. Steps that run code of yours
(callbacks, losses, augmentations, modules) are not. On a CPU it does nothing.""",
}

CONVNET_PARAMETERS = {
    "filters": """int or sequence of int or of tuple of int, default=(16, 32)
Number of filters of each block: an int for a block of one convolution, a tuple for a block of
several, so that ``(32, (16, 16))`` are two blocks of three convolutions in all.""",
    "kernel_size": """int or sequence, default=3
Size of the kernels: one value for all blocks, or one per block. A block's value is an int, or
one value for each of its convolutions, which is an int or a tuple with one per dimension:
``[(5, 3)]`` are a 5 x 5 and a 3 x 3 convolution in one block, ``[[(5, 3)]]`` is one of 5 x 3. A
set instead of a size, ``{3, 5}``, stands for kernels side by side, each with all of the
filters.""",
    "strides": """int or sequence, default=1
Strides of the convolutions, given as `kernel_size`.""",
    "padding": """{'same', 'valid'}, int or sequence of them, default='same'
Zeros around the images of each convolution: 'same' keeps their size at stride 1, 'valid' adds none,
and an int is their number on each side. One value for all blocks, or one per block.""",
    "downsample": """{'max', 'average', 'stride'}, None or sequence of them, default='stride'
How a block reduces the size of its images: it ends with pooling, or its last convolution has the
stride `pool_size` instead of `strides`. One value for all blocks, or one per block.""",
    "pool_size": """int, tuple of int or sequence of them, default=2
The factor of this reduction: one value for all blocks, or one per block, which is an int or a tuple
with one per dimension.""",
    "pool_padding": """{'valid', 'same'} or sequence of them, default='valid'
Whether pooling drops the last pixels if they do not fill its window, or includes them, so that
13 pixels become 7 rather than 6. One value for all blocks, or one per block.""",
    "depthwise": """bool or sequence of bool, default=False
Whether each convolution filters every channel separately, followed by a 1 x 1 convolution that
mixes the channels, which has fewer weights. One value for all blocks, or one per block.""",
    "normalization": """{'batch', 'layer'}, None or sequence of them, default=None
Normalization between each convolution and its activation; 'layer' is over all channels and
positions of an image. One value for all blocks, or one per block.""",
    "activation": """str, nn.Module class or sequence of them, default='relu'
Activation of the convolutions, one for all blocks or one per block; hidden layers have the last
block's. As in `MLPClassifier`.""",
    "dropout": """float in [0, 1) or sequence of float, default=0.0
Probability of dropping a value at the end of a block; one for all blocks, or one per block.""",
    "max_norm": """float, None or sequence of them, default=None
Largest norm of a filter's weights: larger ones are rescaled after every step. One value for all
blocks, or one per block.""",
    "hidden_layer_sizes": """array-like of int, default=(100,)
Number of units of each dense layer after the blocks.""",
    "hidden_dropout": """float in [0, 1) or array-like of float, default=0.0
Probability of dropping a hidden unit's output; one value, or one per hidden layer.""",
    "hidden_max_norm": """float or None, default=None
Largest norm of the incoming weights of a hidden unit.""",
    "features": """nn.Module, callable, str or None, default=None
Replaces the blocks, for example with a pretrained backbone: a module, which is copied, or a
function that is called with the image shape (n_channels, height, width) and returns a module.
'inception_time', 'resnet_1d' and 'fully_convolutional' are networks of signals: the functions of
`sknn_basics.modules` by these names. Outputs are flattened, weights are kept, and the parameters of
blocks are not used.""",
    "image_shape": """tuple of int or 'auto', default='auto'
Shape of an image in rows of flattened images, in the layout of `data_format`. 'auto' reads rows of
a square number of features as square grey images, others as one-dimensional signals.""",
    "data_format": """{'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
Which axis of images is that of the channels. 'auto' reads two-dimensional samples as grey images,
and others as channels last. With 'channels_last', samples of shape (length, n_channels) are signals
of several channels.""",
    "preprocessing": """{'unit', 'symmetric', 'imagenet'}, nn.Module, callable or None, default=None
Scaling of each batch of images of shape (n_images, n_channels, height, width), in training and
prediction. The names map pixels from [0, 255] to [0, 1], to [-1, 1], and to the standardised RGB
channels that networks of torchvision expect. A function is called with the unchanged values of X as
floats: transforms of torchvision, which expect [0, 1], are ``lambda x: transforms(x / 255)`` for
bytes.""",
    "augmentation": """nn.Module, callable or None, default=None
Random change of each training batch of images, before `preprocessing`: see
`sknn_basics.modules`. A function is called with floats, which are in [0, 1] if X has bytes, and
unchanged otherwise. `sknn_basics.modules.FunctionAugmentation` says how it draws random
numbers, and lets functions that draw once per batch, as those of torchvision do, draw for each
image.""",
    "n_test_variants": """int, default=0
Number of variants of each image, by `augmentation`, over whose outputs predictions are averaged,
together with that of the image itself. All images vary alike, and in every call the same. Scores in
training are without.""",
}

RECURRENT_PARAMETERS = {
    "module": """nn.Module, class, callable or None, default=None
Replaces the recurrent layers: a module, which is copied and keeps its weights, or a class or
function that is called with the shape of a sample, ``(n_steps, n_features)``, and returns a
module, whose weights come from `random_state`. It is called with batches of shape (n_samples,
n_steps, n_features) and returns the same number of steps with any number of values, or one
vector per sample if y has one target per sequence. If it returns a tuple, as torch's recurrent
layers do, the first part is used. Sequences of different lengths need a ``forward(x,
lengths)``, with zeros after each sequence. The parameters of recurrent layers are not used.""",
    "hidden_layer_sizes": """array-like of int, default=(32,)
Number of cells of each recurrent layer.""",
    "cell": """{'lstm', 'gru', 'rnn'}, default='lstm'
Kind of the cells: long short-term memory, gated recurrent units, or plain ones with tanh.""",
    "bidirectional": """bool, default=False
Whether each layer has further cells, as many, that read the sequences backwards.""",
    "merge_mode": """{'concat', 'sum', 'average', 'product'}, default='concat'
How the outputs of both directions are merged.""",
    "dropout": """float in [0, 1) or array-like of float, default=0.0
Probability of dropping an output of a recurrent layer in training; one value, or one per layer.""",
    "recurrent_dropout": """float in [0, 1) or array-like of float, default=0.0
Probability of dropping the outputs that a cell passes to the next step in training, the same
cells at all steps of a sequence; one value, or one per layer.""",
    "stateful": """bool, default=False
Whether each sample starts from the final states of the same row of the preceding batch, so
that with ``batch_size=1`` samples are parts of one long sequence. Samples keep their order,
whatever `shuffle` is; `early_stopping` holds out the last ones; states are reset in every epoch.
Predictions are made in batches of the same size, and continue with the states of the predictions
before, until `reset_states` is called. States are not saved.""",
    "n_steps_out": """int or None, default=None
Number of further steps to predict after the end of each sequence, for which y has shape
(n_samples, n_steps_out) or (n_samples, n_steps_out, n_outputs). The network then takes this many
further steps, without inputs. None predicts one target per sequence or one per step, as y has.""",
    "filters": """int or array-like of int, default=()
Number of filters of each convolution, followed by a rectifier, that is applied to every video frame
of X, of shape (n_samples, n_steps, height, width) or (n_samples, n_steps, n_channels, height,
width). Without convolutions, frames are flattened.""",
    "kernel_size": """int, default=5
Width and height of the filters; zeros around the frames keep their size at stride 1.""",
    "strides": """int, default=2
Stride of the convolutions.""",
    "data_format": """{'auto', 'channels_last', 'channels_first'}, default='auto'
Which axis of X is that of the features, or of the channels of frames. 'channels_last' reads
shapes (n_samples, n_steps, n_features) and (n_samples, n_steps, height, width, n_channels);
'channels_first' reads (n_samples, n_features, n_steps), as aeon, sktime and tsai have it, and
(n_samples, n_steps, n_channels, height, width). 'auto' reads sequences with their features last
and frames with their channels first, and warns if X looks as if it had the other layout. The
shape of y does not depend on it.""",
}

ATTRIBUTES = {
    "module_": """nn.Module
The network.""",
    "net_": """skorch.NeuralNet
The skorch net that trained it.""",
    "history_": """dict of str to ndarray of shape (n_epochs,)
What was recorded for every epoch: 'train_loss', 'learning_rate', 'dur' (seconds) and, with
validation data, 'valid_loss' and 'valid_score'. Variational autoencoders add the parts of the loss,
'train_reconstruction' and 'train_kl' (and 'valid_...'), and a learned 'train_noise_variance'.""",
    "loss_": """float
Loss of the last epoch.""",
    "best_loss_": """float or None
Smallest training loss of all epochs; None with `early_stopping`.""",
    "loss_curve_": """list of float
Training loss of every epoch, the L2 penalty included.""",
    "validation_scores_": """list of float or None
Score on the validation data after every epoch.""",
    "best_validation_score_": """float or None
Best score on the validation data.""",
    "t_": """int
Number of training samples that were seen, counted once per epoch.""",
    "n_features_in_": """int
Number of features.""",
    "feature_names_in_": """ndarray of shape (`n_features_in_`,)
Names of the features, if X has names that are all strings.""",
    "n_iter_": """int
Number of epochs of the last fit.""",
    "n_outputs_": """int
Number of output units.""",
    "n_parameters_": """int
Number of parameters of the network.""",
    "out_activation_": """str
Activation of the outputs.""",
}


AUTOENCODER_PARAMETERS = {
    "hidden_layer_sizes": """array-like of int, default=(512, 256)
Number of units of each hidden layer of the encoder; ``()`` for none.""",
    "loss": """{'auto', 'binary_cross_entropy', 'squared_error'}, class or callable, default='auto'
What is minimised, summed over features: the binary cross-entropy of a logistic output, or half of
the squared error of a linear one. 'auto' uses the former if all values of X (and of X_clean)
lie in [0, 1], and the latter otherwise. A class or an instance of `nn.Module`, or a function, is
called with reconstructions and targets of the shape of X, and returns one number per sample or one
per value: see "Losses of your own" in the user guide.""",
    "latent_activation": """str or nn.Module class, default='identity'
Activation of the latent variables, of the same kinds as `activation`.""",
    "noise": """{'gaussian', 'mask'} or None, default=None
Noise that is added to X in training, while X without noise remains the target: normal noise,
clipped to the range of all values of X, or zeros instead of values.""",
    "noise_amount": """float, default=0.2
Standard deviation of 'gaussian' in units of X, or share of the values that 'mask' sets to
zero.""",
    "sparsity": """float, default=0.0
Strength of an L1 penalty on the latent variables: a factor of the sum of their absolute values,
averaged over samples.""",
    "n_components": """int, default=20
Number of latent variables of a sample.""",
    "decoder_layer_sizes": """array-like of int or None, default=None
Number of units of each hidden layer of the decoder; None mirrors the encoder.""",
    "out_activation": """{'auto', 'logistic', 'identity'}, default='auto'
Activation of the reconstruction; 'auto' is what `loss` asks for.""",
}

VARIATIONAL_PARAMETERS = {
    "beta": """float, default=1.0
Weight of the divergence of the latent variables from the standard normal distribution: a larger
weight disentangles them, a smaller one reconstructs better.""",
    "beta_warmup": """int, default=0
Number of epochs over which the weight of the divergence rises to `beta`, so that the latent
variables learn to carry something before they are penalised. The recorded losses are those of
`beta`.""",
    "noise_variance": """float or 'auto', default='auto'
Variance of the normal noise around a reconstruction, under which the squared error is a
log-likelihood: a smaller one reconstructs better, a larger one keeps latent variables closer to the
standard normal distribution, until they carry no information. 'auto' learns it: each step uses the
mean squared error of its batch. The cross-entropy has no such variance.""",
    "loss": """{'auto', 'squared_error', 'binary_cross_entropy'}, class or callable, default='auto'
Minus the log-likelihood of a sample around its reconstruction, summed over features: the squared
error, scaled by `noise_variance`, of normal features, or the cross-entropy of binary ones. 'auto'
is the squared error. A class or an instance of `nn.Module`, or a function, is called with
reconstructions and targets, in the shape of X, and returns minus a log-likelihood for each.""",
    "out_activation": """{'auto', 'logistic', 'identity'}, default='auto'
Activation of the reconstruction; 'auto' is the logistic function with the cross-entropy, and with
loss 'auto' if all values of X (and of X_clean) lie in [0, 1].""",
}

CONV_AUTOENCODER_PARAMETERS = {
    **AUTOENCODER_PARAMETERS,
    "filters": """int or sequence of int, default=(16, 32)
Number of filters of the convolution of each block of the encoder.""",
    "n_components": """int or None, default=20
Number of latent variables, which a dense layer computes; with None, the flattened images of the
last convolution are the latent variables.""",
    "latent_filters": """int or None, default=None
Number of filters of one more convolution after the blocks of the encoder.""",
    "decoder_filters": """int, sequence of int or None, default=None
Number of filters of the convolution of each block of the decoder, which then enlarges its images;
None mirrors the encoder. One fewer than the encoder has, if images are enlarged first (not
with 'stride'). A last convolution computes the channels of X.""",
    "kernel_size": """int or sequence, default=3
Size of the kernels: one value for all blocks, or one per block, which the decoder mirrors. A
block's value is an int, or ``[(3, 5)]`` for 3 x 5. Zeros around the images keep their size.""",
    "downsample": """{'max', 'average', 'stride'}, None or sequence of them, default='stride'
How a block of the encoder reduces the size of its images: by pooling, or by a convolution with
the stride `pool_size`. The decoder enlarges them by repeated pixels, or by a transposed
convolution.""",
    "pool_size": CONVNET_PARAMETERS["pool_size"],
    "normalization": CONVNET_PARAMETERS["normalization"],
    "activation": """str, nn.Module class or sequence of them, default='relu'
Activation of the convolutions, one for all blocks or one per block, which the decoder mirrors.""",
    "dropout": CONVNET_PARAMETERS["dropout"],
    "image_shape": CONVNET_PARAMETERS["image_shape"],
    "data_format": CONVNET_PARAMETERS["data_format"],
    "preprocessing": """{'unit', 'symmetric', 'imagenet'}, nn.Module, callable or None, default=None
Scaling of each batch of images of shape (n_images, n_channels, height, width), of X and
of clean samples alike: the names map pixels from [0, 255] to [0, 1], to [-1, 1], and to the
standardised RGB channels that networks of torchvision expect. Losses and scores are those of
preprocessed images. Reconstructions and samples are scaled back to the scale of X by the names,
and by a module with a method ``inverse``; with any other function, they are not scaled back.""",
}

DENSE_PARAMETERS = {
    "activation": """str, nn.Module class or list of them, default='relu'
Activation of the hidden layers, one for all or one for each: 'identity', 'logistic', 'tanh',
'relu', or any other elementwise activation of `torch.nn` in lower case ('elu', 'gelu',
'leaky_relu', 'silu', ...), or a class that is called without arguments.""",
    "normalization": """{'batch', 'layer'}, None or list of them, default=None
Normalization between the linear part and the activation of each hidden layer, one for all or one
for each.""",
    "input_noise": """float or list of float, default=0.0
Standard deviation of normal noise that is added to X in training; a list has one for each hidden
layer, of the noise on what that layer reads.""",
    "module": """nn.Module, class, callable or None, default=None
Replaces the hidden layers: a module, which is copied and keeps its weights, or a class or
function that is called with the shape of a sample, ``(n_features,)``, and returns a module,
whose weights come from `random_state`. It is called with batches of shape (n_samples,
n_features), its outputs are flattened, and an output layer follows. The parameters of hidden
layers are not used. `coefs_` and `intercepts_` are those of the output layer.""",
}

DENSE_ATTRIBUTES = {
    "coefs_": """list of ndarray of shape (n_inputs, n_units)
Weights of each layer.""",
    "intercepts_": """list of ndarray of shape (n_units,)
Biases of each layer.""",
    "n_layers_": """int
Number of layers, the inputs among them.""",
}

TEXT_PARAMETERS = {
    **RECURRENT_PARAMETERS,
    "hidden_layer_sizes": """array-like of int, default=(128, 128)
Number of cells of each recurrent layer.""",
    "max_iter": """int, default=20
Largest number of epochs.""",
    "batch_size": """int or 'auto', default='auto'
Number of windows per batch; 'auto' is ``min(100, n_windows)``.""",
    "early_stopping": """bool, default=False
Whether to hold out the last windows, which share no token with the others, stop when their
score does not improve by `tol` for `n_iter_no_change` epochs, and restore the best weights.""",
    "validation_fraction": """float in [0, 1), default=0.1
Share of the windows to hold out.""",
    "scoring": """{'loss'} or None, default=None
What is recorded on the validation data and watched by `early_stopping`: minus the loss, or
minus the bits per token.""",
    "dtype": """{'float32', 'float64'}, default='float32'
Data type of the network.""",
}

TEXT_ATTRIBUTES = {
    "history_": """dict of str to ndarray of shape (n_epochs,)
What was recorded for every epoch: 'train_loss', 'learning_rate', 'dur' (seconds) and, with
validation data, 'valid_loss' and 'valid_score'.""",
    "loss_": """float
Loss of the last epoch: minus the mean logarithm of a target's probability.""",
    "t_": """int
Number of training windows that were seen, counted once per epoch.""",
}

RNN_AUTOENCODER_PARAMETERS = {
    **RECURRENT_PARAMETERS,
    **AUTOENCODER_PARAMETERS,
    "hidden_layer_sizes": """array-like of int, default=(32,)
Number of units of each recurrent layer of the encoder.""",
    "bidirectional": """bool, default=False
Whether the encoder reads each sequence in both directions. The decoder writes in one.""",
    "dropout": """float in [0, 1) or array-like of float, default=0.0
Probability of dropping a unit's output in training, in the encoder; one value, or one per
layer.""",
    "recurrent_dropout": """float in [0, 1) or array-like of float, default=0.0
Probability of dropping a unit's output from step to step in training, in the encoder; one
value, or one per layer.""",
    "data_format": """{'auto', 'channels_last', 'channels_first'}, default='auto'
Whether X has shape (n_samples, n_steps, n_features), channels last, or (n_samples,
n_features, n_steps), as aeon, sktime and tsai have it. 'auto' is last, and warns if X
looks as if it had the other layout. Reconstructions have that of X.""",
}

ADVERSARIAL_PARAMETERS = {
    "n_components": """int, default=4
Number of latent variables of a sample.""",
    "latent": """{'uniform', 'symmetric', 'normal'} or callable, default='uniform'
Distribution of the latent variables: uniform on [0, 1), uniform on [-1, 1), standard normal, or the
result of a function ``(n_samples, n_components, generator)`` with a `torch.Generator`.""",
    "activation": """str or nn.Module class, default='leaky_relu'
Activation of the discriminator's hidden layers, as in `MLPClassifier`.""",
    "negative_slope": """float in [0, 1], default=0.1
Slope of 'leaky_relu' below zero.""",
    "generator_activation": """str, nn.Module class or None, default=None
Activation of the generator's hidden layers; None is `activation`.""",
    "out_activation": """{'auto', 'identity', 'tanh', 'logistic'}, default='auto'
Activation of the generator's output, 'auto' is 'identity' for rows and 'tanh' for images. For a
bounded one, X is scaled inside, and samples are scaled back: from [0, 255] if X has bytes,
from [0, 1] or [-1, 1] if X lies there, and otherwise from the range of X.""",
    "generator": """nn.Module or None, default=None
Replaces the layers of the generator: maps latent variables (and a one-hot encoded class) to
samples. It is copied, keeps its weights, and is followed by `out_activation`.""",
    "discriminator": """nn.Module or None, default=None
Replaces the layers of the discriminator: maps samples to logits; classes are passed as further
features or channels. It is copied, and keeps its weights.""",
    "loss": """{'log_loss', 'hinge', 'wasserstein'} or pair of functions, default='log_loss'
Cross-entropy, with which the generator maximises the confidence in its samples; hinge loss; or the
difference of mean logits, which needs `gradient_penalty` or `spectral_normalization`. Two functions
``(logits, is_real)`` and ``(logits)`` give the losses of the discriminator, for samples that are
all real or all generated, and of the generator, one per sample.""",
    "round": """{'joint', 'alternate'}, default='joint'
The steps with each batch: the discriminator takes a step on real and generated samples
together, and then the generator; or the discriminator on real ones, the generator, the
discriminator on generated ones, and the generator again.""",
    "generator_steps": """int, default=1
Number of steps of the generator in its turn.""",
    "discriminator_steps": """int, default=1
Number of batches that the discriminator is trained on before the generator's turn.""",
    "solver": """str or torch.optim class, default='adam'
'sgd', 'adam', 'adamw', 'adamax', 'nadam', 'radam', 'rmsprop', 'adagrad', 'adadelta', or a class or
function that is called with the parameters and the learning rate as ``lr``, and keeps its own
defaults.""",
    "alpha": """float, default=0.0
Strength of the L2 penalty on weights, as in `MLPClassifier`.""",
    "batch_size": """int, default=32
Number of real samples per batch.""",
    "learning_rate_init": """float or 'auto', default=0.001
Learning rate of the generator, and of the discriminator unless it has its own; 'auto' is the usual
one of the solver.""",
    "discriminator_learning_rate_init": """float, 'auto' or None, default=None
Learning rate of the discriminator; None is `learning_rate_init`.""",
    "max_iter": """int, default=15
Number of epochs.""",
    "random_state": """int, RandomState instance or None, default=None
Source of initial weights, order of samples, latent variables and dropout. With an int, the same
data give bitwise identical results on the same device. If steps are large (batch size times
parameters above 2**22), results on other numbers of threads differ by rounding.""",
    "warm_start": """bool, default=False
Whether `fit` continues with the networks of the last fit.""",
    "gradient_penalty": """float or 'auto', default='auto'
Strength of a penalty on the discriminator's gradient with respect to samples: with the loss
'wasserstein', on its distance from norm 1 between real and generated samples, otherwise on half
of its square at real ones (R1). 'auto' is 10 for 'wasserstein' without
`spectral_normalization`, and otherwise 0.""",
    "label_smoothing": """float in [0, 1), default=0.0
By how much less than 1 the discriminator should be confident in real samples.""",
    "batch_variety": """bool, default=False
Whether the discriminator's last layer gets the variety of its features within the batch as an
input, which works against samples that are all alike.""",
    "spectral_normalization": """bool, default=False
Whether each of the discriminator's weight matrices is divided by its largest singular value.""",
    "average_decay": """float in [0, 1) or None, default=None
Decay of a running average of the generator's weights, with which samples are generated; None
generates them with the weights themselves.""",
    "dropout": """float in [0, 1) or array-like of float, default=0.0
Probability of dropping the output of a discriminator's unit in training; one value, or one per
hidden layer.""",
    "dtype": """{'auto', 'float32', 'float64'}, default='auto'
Data type of the networks. 'auto' is float32, but float64 on a CPU for small samples: up to 32
values, and up to 2**19 multiplications by both networks for each.""",
}

CONV_ADVERSARIAL_PARAMETERS = {
    **ADVERSARIAL_PARAMETERS,
    "filters": """int or sequence of int, default=(32, 64)
Number of filters of the convolution of each block of the discriminator, which the generator
mirrors.""",
    "hidden_layer_sizes": """array-like of int, default=()
Number of units of each dense layer between latent variables and the first images of the
generator, and, in the opposite order, after the blocks of the discriminator.""",
    "kernel_size": """int or sequence, default=5
Size of the kernels: one value for all blocks, or one per block, which the generator mirrors. A
block's value is an int, or ``[(3, 5)]`` for 3 x 5. Zeros around the images keep their size.""",
    "upsample": """{'repeat', 'stride'}, default='stride'
How a block of the generator doubles the size of its images: by repeated pixels before its
convolution, or by a transposed convolution.""",
    "downsample": """{'max', 'average', 'stride'}, None or sequence of them, default='stride'
How a block of the discriminator halves its images: by pooling, or by the stride of its convolution.
None keeps their size, in the generator, too. One value for all blocks, or one per block.""",
    "grow": """array-like of int or None, default=None
Sides of square images, from the smallest to that of X, each twice as long as the one before:
networks of one number of `filters` for each, that of the largest first, are trained for `max_iter`
epochs on each size, and the layers of a new size are faded in over the first half of its epochs.
Images then grow by repeated pixels and shrink by averages. None trains on the full size alone.""",
    "image_shape": CONVNET_PARAMETERS["image_shape"],
    "data_format": CONVNET_PARAMETERS["data_format"],
    "activation": """str, nn.Module class or sequence of them, default='leaky_relu'
Activation of the discriminator, one for all blocks or one per block; as in `MLPClassifier`.""",
    "generator_activation": """str, nn.Module class or None, default='relu'
Activation of the generator; None is that of the discriminator.""",
    "dropout": """float in [0, 1) or sequence of float, default=0.0
Probability of dropping a value at the end of a block of the discriminator; one for all blocks, or
one per block.""",
    "normalization": """{'batch', 'layer'}, None or sequence of them, default='batch'
Normalization between each convolution of the discriminator and its activation: one value for all
blocks but the first, or one per block.""",
    "generator_normalization": """str, None or sequence of them, default='auto'
Normalization in the generator, 'batch', 'layer' or None: one value for its first images and all
blocks but the last, or one each. 'auto' mirrors `normalization`.""",
}

ADVERSARIAL_ATTRIBUTES = {
    "generator_": """nn.Module
The network that makes samples.""",
    "discriminator_": """nn.Module
The network that tells them from real ones.""",
    "classes_": """ndarray of shape (n_classes,)
The classes, where there are any.""",
    "module_": """nn.Module
Both networks.""",
    "net_": """skorch.NeuralNet
The net that has trained them.""",
    "history_": """dict of str to ndarray of shape (n_epochs,)
What was recorded for every epoch: 'generator_loss', 'discriminator_loss' (of real and made samples,
averaged) and 'train_loss', their sum; 'real_confidence' and 'made_confidence', what the
discriminator says of samples in training; 'variety', the mean distance between made samples as a
share of that between real ones; 'learning_rate' and 'dur' (seconds).""",
    "n_parameters_": """int
Number of parameters of both networks.""",
}


class Family(NamedTuple):
    """Which shared texts a class has.

    Parameters
    ----------
    parameters, attributes : dict of str to str
        Texts of its family, which go before those that all have.
    all_attributes : bool
        Whether it has all attributes that all have, or only those that its docstring names.
    """

    parameters: Mapping[str, str] = MappingProxyType({})
    attributes: Mapping[str, str] = MappingProxyType({})
    all_attributes: bool = True


FAMILIES = {
    "dense.py": {
        "MLPClassifier": Family(DENSE_PARAMETERS, DENSE_ATTRIBUTES),
        "MLPRegressor": Family(DENSE_PARAMETERS, DENSE_ATTRIBUTES),
    },
    "convolutional.py": {
        "ConvNetClassifier": Family(CONVNET_PARAMETERS),
        "ConvNetRegressor": Family(CONVNET_PARAMETERS),
    },
    "recurrent.py": {
        "RNNClassifier": Family(RECURRENT_PARAMETERS),
        "RNNRegressor": Family(RECURRENT_PARAMETERS),
    },
    "text.py": {"TextGenerator": Family(TEXT_PARAMETERS, TEXT_ATTRIBUTES, all_attributes=False)},
    "adversarial.py": {
        "GAN": Family(ADVERSARIAL_PARAMETERS, ADVERSARIAL_ATTRIBUTES, all_attributes=False),
        "ConvGAN": Family(
            CONV_ADVERSARIAL_PARAMETERS, ADVERSARIAL_ATTRIBUTES, all_attributes=False
        ),
    },
    "autoencoders/dense.py": {"Autoencoder": Family(AUTOENCODER_PARAMETERS)},
    "autoencoders/variational.py": {
        "VariationalAutoencoder": Family(AUTOENCODER_PARAMETERS | VARIATIONAL_PARAMETERS)
    },
    "autoencoders/convolutional.py": {
        "ConvAutoencoder": Family(CONV_AUTOENCODER_PARAMETERS),
        "VariationalConvAutoencoder": Family(CONV_AUTOENCODER_PARAMETERS | VARIATIONAL_PARAMETERS),
    },
    "autoencoders/recurrent.py": {"RNNAutoencoder": Family(RNN_AUTOENCODER_PARAMETERS)},
}

SECTION = r"^(?=[A-Z][\w ]*\n-{3,}$)"
ENTRY = r"^(\w+) : "
INDENT, WIDTH = " " * 4, 92


def main(arguments: list[str]) -> int:
    """Write the docstrings, or with ``--check`` tell which files have others."""
    differing = []
    for name, families in FAMILIES.items():
        path = Path(__file__).parent.parent / name
        source = path.read_text()
        written = rewrite(source, families)
        if written != source:
            differing.append(str(path))
            if "--check" not in arguments:
                path.write_text(written)
    if "--check" in arguments and differing:
        print("Docstrings are not those of docstrings.py; run `make docstrings`:", *differing)
        return 1
    return 0


def rewrite(source: str, families: Mapping[str, Family]) -> str:
    """Write the shared texts into the docstrings of classes in a source."""
    lines = source.split("\n")
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    for node in reversed([node for node in classes if node.name in families]):
        text = document(ast.get_docstring(node), families[node.name], defaults(node, source))
        place = slice(node.body[0].lineno - 1, node.body[0].end_lineno)
        prefix = "r" * lines[place.start].lstrip().startswith("r")
        lines[place] = indent(f'{prefix}"""{text}\n"""', INDENT).split("\n")
    return "\n".join(lines)


def defaults(node: ast.ClassDef, source: str) -> dict[str, str]:
    """Read the parameters of ``__init__`` and their defaults, in their order."""
    (init,) = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
    names = [a.arg for a in (*init.args.args[1:], *init.args.kwonlyargs)]
    values = [*init.args.defaults, *init.args.kw_defaults]
    texts = [ast.get_source_segment(source, value).replace('"', "'") for value in values]
    return dict(zip(names, texts, strict=True))


def document(text: str, family: Family, values: Mapping[str, str]) -> str:
    """Fill in the sections of parameters and attributes of a docstring."""
    sections = re.split(SECTION, text, flags=re.MULTILINE)
    shared = {**PARAMETERS, **family.parameters}
    for i, section in enumerate(sections):
        title = section.partition("\n")[0]
        if title == "Parameters":
            own = read_entries(section)
            texts = {name: shared.get(name) or own[name] for name in values}
            texts = {name: with_default(text, values[name]) for name, text in texts.items()}
            sections[i] = write_section(title, texts)
        elif title == "Attributes":
            own = read_entries(section)
            known = {**family.attributes, **ATTRIBUTES}
            first = {name: known.get(name, text) for name, text in own.items()}
            rest = known if family.all_attributes else {}
            own = {name: text for name, text in own.items() if name not in known}
            sections[i] = write_section(title, {**own, **rest} if rest else first)
    return "".join(sections).rstrip()


def read_entries(section: str) -> dict[str, str]:
    """Read the entries of a section: name -> text without its indentation."""
    _, *parts = re.split(ENTRY, section, flags=re.MULTILINE)
    return {name: dedent(INDENT + text).strip() for name, text in zip(parts[::2], parts[1::2])}


def with_default(text: str, value: str) -> str:
    """Let the first line of a text tell the default that the signature has."""
    kind, *description = text.split("\n")
    return "\n".join([re.sub(r"default=.*", lambda _: f"default={value}", kind), *description])


def write_section(title: str, texts: Mapping[str, str]) -> str:
    """Write a section of entries."""
    entries = []
    for name, text in texts.items():
        kind, _, description = text.partition("\n")
        entries.append(f"{name} : {kind}\n{indent(wrap(description), INDENT)}\n")
    return f"{title}\n{'-' * len(title)}\n" + "\n".join(entries) + "\n"


def wrap(description: str) -> str:
    """Break paragraphs anew where a line is too long for its place."""
    if max(map(len, description.split("\n"))) <= WIDTH - len(INDENT):
        return description
    paragraphs = description.split("\n\n")
    return "\n\n".join(
        fill(" ".join(p.split()), WIDTH - len(INDENT), break_on_hyphens=False) for p in paragraphs
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
