"""Whose turn it is: what is accepted, in which order it reaches the model, and what is refused or dropped.

`bounds` says how much may wait, `fair_queue` who is next, `meter` how fast the work is done, `turns` puts
them together, and `work` says for whom and until when. None of it knows what an image or a model is.
"""
