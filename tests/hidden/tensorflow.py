"""In place of TensorFlow, which Keras would import wherever it is installed: six seconds for each process."""

raise ImportError("hidden from tests; where a process needs TensorFlow, this folder is not in its PYTHONPATH")
