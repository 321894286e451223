"""HTML reports of runs: each is a single file that loads nothing from the network.

report.py and comparison.py collect the contents of a page, and templates/ lays them out. folder.py reads a
run's folder, evaluation.py its evaluation.json; charts.py draws curves, pictures.py compresses pictures, and
pages.py writes the file.
"""
