"""Keras layers and models made a second time: for the initializers of their weights, and to be exported."""

from __future__ import annotations

import copy
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import keras

from ganjax.stateless.variables import standard_promotion

Initializer = Callable[..., Any]
T = TypeVar("T")


def without_values(build: Callable[[], T]) -> T:
    """What `build()` returns; Keras models in it know only shapes, dtypes and initializers of their weights.

    A GAN needs no more, and drawing values that are never read takes seconds. Keras draws anew whenever a
    value of such a model is read, so do not use these models on their own.
    """

    def described() -> T:
        with keras.StatelessScope(initialize_variables=False):
            return build()

    return in_own_thread(described)


def in_own_thread(function: Callable[..., T], *arguments: Any) -> T:
    """`function(*arguments)`, without changing Keras's state in the caller's thread.

    Keras keeps automatic layer names and lists of unfinished variables per thread.
    """

    def run() -> T:
        with standard_promotion():
            return function(*arguments)

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(run).result()


# Initializers.


def initializers(model: keras.Model, wanted: set[int]) -> dict[int, Initializer]:
    """The initializers of a model's variables, by the variable's `id`, each an object of its own.

    Keras forgets an initializer once a variable has its value, so each layer that owns one of the variables
    is built a second time, without values.

    Args:
        model: a built Keras model.
        wanted: ids of the variables to find them for. A variable made from an array has none.

    Raises:
        ValueError: a layer cannot be built again; the message says which and what to change.
    """
    found = {id(v): v._initializer for v in model.variables if v._initializer is not None}

    def search() -> None:
        with keras.StatelessScope(initialize_variables=False):
            for layer in model._flatten_layers():
                if {id(v) for v in _own_variables(layer)} & (wanted - found.keys()):
                    found.update((id(v), twin._initializer) for v, twin in _with_twins(layer))

    with _python_random_kept():
        in_own_thread(search)
    return {key: copy.copy(value) for key, value in found.items() if key in wanted and value is not None}


def _own_variables(layer: keras.Layer) -> list[Any]:
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _with_twins(layer: keras.Layer) -> list[tuple[Any, Any]]:
    """The layer's own variables, each with that of the same layer built again."""
    variables = _own_variables(layer)
    twin, error = _built_again(lambda: type(layer).from_config(layer.get_config()), layer)
    if not _same_shapes(variables, twin):
        twin, other_error = _built_again(lambda: _unbuilt(layer, {}), layer)
        error = error or other_error
    if twin is None:
        raise ValueError(
            f"the layer {layer.name!r} ({type(layer).__name__}) cannot be built again "
            f"({first_sentence(error)}): create its weights with add_weight in build, or give the class a "
            "get_config that holds every argument of __init__"
        ) from error
    if _same_shapes(variables, twin):
        return list(zip(variables, _own_variables(twin), strict=True))
    attributes = vars(twin)  # some were made by hand, or later: match the others by name
    pairs = [(v, attributes.get(name)) for name, v in vars(layer).items() if isinstance(v, keras.Variable)]
    return [(v, twin) for v, twin in pairs if isinstance(twin, keras.Variable) and twin.shape == v.shape]


def _built_again(
    make: Callable[[], keras.Layer], like: keras.Layer
) -> tuple[keras.Layer | None, Exception | None]:
    """The layer that `make` returns, built for the same input as `like`; or why there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of lambdas in configurations
            twin = make()
            twin.build_from_config(like.get_build_config())
    except Exception as error:
        return None, error
    return twin, None


def _same_shapes(variables: list[Any], twin: keras.Layer | None) -> bool:
    return twin is not None and [v.shape for v in variables] == [v.shape for v in _own_variables(twin)]


def _unbuilt(part: Any, made: dict[int, Any]) -> Any:
    """A layer with the same settings and sublayers, but no weights: what `__init__` made, without calling it.

    For layers that cannot be made from a configuration: an activation may be any function.
    """
    if isinstance(part, (list, tuple)):
        return type(part)(_unbuilt(each, made) for each in part)
    if isinstance(part, dict):
        return {key: _unbuilt(each, made) for key, each in part.items()}
    if not isinstance(part, keras.Layer):
        return part
    if id(part) not in made:
        twin = made[id(part)] = _empty(part)
        base = keras.Model if isinstance(part, keras.Model) else keras.Layer
        base.__init__(twin, name=part.name, dtype=part.dtype_policy, trainable=part.trainable)
        for name, value in vars(part).items():
            if name not in vars(twin) and not _holds_state(value):
                setattr(twin, name, _unbuilt(value, made))
    return made[id(part)]


def _empty(part: Any) -> Any:
    """An object of the part's class on which `__init__` was not called."""
    kind: Any = type(part)
    return kind.__new__(kind)


def _holds_state(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return any(map(_holds_state, value))
    return isinstance(value, (keras.Variable, keras.random.SeedGenerator))


# Whole models.

_FUNCTIONAL = type(keras.Model(_input := keras.Input((1,)), _input))
_GRAPHS = (keras.Sequential.call, _FUNCTIONAL.call)


def rebuild(model: keras.Model) -> keras.Model:
    """The same model a second time, sharing no variable with `model`; its values are to be assigned.

    Made from the model's configuration, as saving and loading would make it. Where that fails, or gives
    other weights, it is a copy of the model object: functions in it are shared.

    Args:
        model: a built Keras model.

    Raises:
        ValueError: the model can be made again in neither way.
    """
    with _python_random_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lambdas in configurations
        try:
            twin = without_values(partial(keras.models.clone_model, model))
        except Exception:
            twin = None
        if twin is None or not _alike(twin, model):
            return in_own_thread(_copied, model)
    _copy_adapted(model, twin)
    return twin


def _alike(twin: keras.Model, model: keras.Model) -> bool:
    """Whether weights and functions are the same: Keras takes `jax.nn.gelu` for its own `gelu`."""

    def shown(model: keras.Model) -> Any:
        layers = model._flatten_layers()
        functions = [v for layer in layers for k, v in sorted(vars(layer).items()) if _is_plain(k, v)]
        trained, others = model.trainable_variables, model.non_trainable_variables
        return type(model).call, functions, [v.shape for v in trained], [v.shape for v in others]

    return shown(twin) == shown(model)


def _is_plain(name: str, value: Any) -> bool:
    """Whether an attribute of a layer is a function, which no configuration can hold."""
    per_object = name in ("build", "quantize") or hasattr(value, "__self__")
    return _is_function(value) and not per_object and not hasattr(value, "get_config")


def _copy_adapted(model: keras.Model, twin: keras.Model) -> None:
    """Give `twin` what `adapt` computed and layers keep outside of variables (Discretization)."""
    for layer, other in zip(model._flatten_layers(), twin._flatten_layers(), strict=True):
        if hasattr(layer, "finalize_state") and not layer.weights:
            store: dict[str, Any] = {}
            layer.save_own_variables(store)
            if store:
                other.load_own_variables(store)


def check_saving(model: keras.Model) -> None:
    """Raise ValueError if Keras cannot write `model` to a file; warn if nobody could load that file.

    Warns:
        UserWarning: a layer has a function that Keras finds by no name; the message says what to write.
    """
    for layer in reversed(model._flatten_layers()):  # a model after what is in it
        where = f"the layer {layer.name!r} ({type(layer).__name__})"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                layer.get_config()
        except Exception as error:
            raise ValueError(
                f"{where} cannot be saved ({first_sentence(error)}): "
                "give its class a get_config that holds every argument of __init__"
            ) from error
        for argument, value in vars(layer).items():
            if _is_plain(argument, value) and not _is_found(value):
                name = getattr(value, "__name__", "<lambda>")
                advice = (
                    f"write {argument}={name!r}"
                    if hasattr(keras.activations, name)
                    else ("register a function with keras.saving.register_keras_serializable")
                )
                warnings.warn(
                    f"{where} has {argument}={name}, which Keras cannot load from a saved model: {advice}",
                    stacklevel=3,
                )


def _is_found(function: Any) -> bool:
    """Whether Keras finds a function again by the name that it writes to a file."""
    registered = keras.saving.get_registered_object(keras.saving.get_registered_name(function))
    return registered is function or str(function.__module__).startswith("keras.")


def _copied(model: keras.Model) -> keras.Model:
    """A copy made layer by layer; Python's deep copy would go through the configuration."""
    memo: dict[int, Any] = {id(module): module for module in list(sys.modules.values())}

    def twin(layer: keras.Layer) -> keras.Layer:
        if id(layer) not in memo:
            if not isinstance(layer, keras.Layer) or isinstance(layer, keras.layers.InputLayer):
                memo[id(layer)] = type(layer).from_config(layer.get_config())
            elif type(layer).call in _GRAPHS:
                memo[id(layer)] = keras.models.clone_model(layer, clone_function=twin)
            else:
                memo[id(layer)] = _empty(layer)
                for part in layer._layers:
                    twin(part)
                _copy_attributes(layer, memo)
        return memo[id(layer)]

    try:
        return twin(model)  # type: ignore[return-value]
    except Exception as error:
        raise ValueError(
            f"the model {model.name!r} can be built again neither from its configuration nor by copying it "
            f"({first_sentence(error)}): give its classes get_config and from_config, as saving it needs too"
        ) from error


def _copy_attributes(layer: keras.Layer, memo: dict[int, Any]) -> None:
    twin = memo[id(layer)]
    attributes = dict(vars(layer))
    memo |= {id(value): value for value in attributes.values() if _is_function(value)}
    for name in ("build", "quantize"):  # wrapped for each object by `Layer.__new__`
        del attributes[name]
    attributes |= {"_inbound_nodes": [], "_outbound_nodes": []}
    if isinstance(layer, keras.Model):  # without optimizer and metrics
        trainer = vars(keras.Model()).items()
        attributes |= {name: value for name, value in trainer if name not in vars(keras.Layer())}
    is_sequential = isinstance(layer, keras.Sequential)
    if is_sequential:
        attributes["_functional"] = None
    for name, value in attributes.items():
        vars(twin)[name] = copy.deepcopy(_untracked(value), memo)
    if is_sequential:
        twin._maybe_rebuild()


def _untracked(value: Any) -> Any:
    """Containers as Python's own: Keras's would report what is put into them to the layer."""
    if not type(value).__name__.startswith("Tracked"):
        return value
    if isinstance(value, dict):
        return {key: _untracked(each) for key, each in value.items()}
    return (list if isinstance(value, list) else set)(map(_untracked, value))


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, (keras.Layer, keras.Operation))


def first_sentence(error: BaseException | None) -> str:
    """What an error's message says, in one line: its first sentence, or that of the error in it."""
    words = " ".join(str(error).split("Exception encountered: ")[-1].split())
    return words.split(". ")[0][:150].rstrip(".")


@contextmanager
def _python_random_kept() -> Iterator[None]:
    """Layers built without a seed draw one from Python's generator: leave it as it was."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
