"""The text-only probe: can question and options alone give the answer?"""
