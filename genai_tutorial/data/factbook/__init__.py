"""The World Factbook: countries, values read from its texts, and facts in the form that
questions need.
"""
