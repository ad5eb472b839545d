"""Which images OTB annotates, where it ships more of them."""

# First and last annotated frame, by the number in the file name, where OTB
# annotates a part of the images it ships. Source: the benchmark's home page
# (Wu, Lim, Yang, "Object Tracking Benchmark", TPAMI 2015).
FRAME_RANGES = {
    'blurcar1': (247, 988),
    'blurcar3': (3, 359),
    'blurcar4': (18, 397),
    'david': (300, 770),
    'diving': (1, 215),
    'football1': (1, 74),
    'freeman3': (1, 460),
    'freeman4': (1, 283),
    'tiger1': (6, 354),
}
