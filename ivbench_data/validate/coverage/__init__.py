"""Does a frame grid show the evidence at all?"""
