"""Needle in a haystack: what of a long prompt does the served model really read?"""
