"""What `nvidia-smi --query-gpu=... --format=csv` prints, by generation of GPU and driver.

In the form of recorded outputs: units in the header and in every cell, words in brackets for what a GPU
does not tell, fields left out where the driver is too old to know them.
"""

HEADER = (
    "index, name, driver_version, memory.total [MiB], power.limit [W], clocks.max.sm [MHz], "
    "clocks.max.memory [MHz], clocks.current.sm [MHz], mig.mode.current"
)
OLD_HEADER = HEADER.removesuffix(", mig.mode.current")

KEPLER = f"""\
{OLD_HEADER}
0, Tesla K80, 418.87.01, 11441 MiB, 149.00 W, 875 MHz, 2505 MHz, 324 MHz
1, Tesla K80, 418.87.01, 11441 MiB, 149.00 W, 875 MHz, 2505 MHz, 324 MHz
"""
TURING = f"{HEADER}\n0, Tesla T4, 460.32.03, 15109 MiB, 70.00 W, 1590 MHz, 5001 MHz, 300 MHz, [N/A]\n"
VOLTA = f"""\
{HEADER}
0, Tesla V100-SXM2-16GB, 450.80.02, 16160 MiB, 300.00 W, 1530 MHz, 877 MHz, 135 MHz, [N/A]
"""
AMPERE_SLICED = f"""\
{HEADER}
0, NVIDIA A100-SXM4-40GB, 470.57.02, 40536 MiB, 400.00 W, 1410 MHz, 1215 MHz, 210 MHz, Enabled
1, NVIDIA A100-SXM4-40GB, 470.57.02, 40536 MiB, 400.00 W, 1410 MHz, 1215 MHz, 1155 MHz, Disabled
"""
HOPPER = f"""\
{HEADER}
0, NVIDIA H100 80GB HBM3, 535.104.05, 81559 MiB, 700.00 W, 1980 MHz, 2619 MHz, 345 MHz, Disabled
"""
ADA = f"""\
{HEADER}
0, NVIDIA GeForce RTX 4090, 550.54.14, 24564 MiB, 450.00 W, 3105 MHz, 10501 MHz, 2520 MHz, [N/A]
"""
LAPTOP = f"""\
{HEADER}
0, NVIDIA GeForce RTX 3070 Laptop GPU, 525.85.05, 8192 MiB, [N/A], 2100 MHz, 7001 MHz, 210 MHz, [N/A]
"""
OLD_LAPTOP = f"""\
{OLD_HEADER}
0, GeForce 940MX, 390.116, 2004 MiB, [Not Supported], [Not Supported], [Not Supported], [Not Supported]
"""
LOST = f"""\
{HEADER}
0, NVIDIA A100-PCIE-40GB, 470.57.02, [Unknown Error], [GPU is lost], [Unknown Error], N/A, [N/A], Disabled
"""

UNKNOWN_FIELD = 'Field "mig.mode.current" is not a valid field to query.\n\n'
NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
    "Make sure that the latest NVIDIA driver is installed and running.\n\n"
)
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.113\n"
NO_DEVICES = "No devices were found\n"
