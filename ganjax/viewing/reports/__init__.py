"""Pages about runs: one file each, that opens anywhere and asks nothing of a network.

report.py and comparison.py say what is on a page, templates/ how it looks; folder.py reads a run, charts.py
draws its curves, pictures.py packs its pictures, pages.py makes the file.
"""
