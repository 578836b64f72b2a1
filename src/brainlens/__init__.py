"""brainlens: brain-MRI tumour classification whose quoted accuracy can be believed.

Research use, not a medical device.
"""

__version__ = "0.1.0"
