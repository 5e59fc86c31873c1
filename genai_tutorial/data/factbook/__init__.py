"""The World Factbook: countries, values read from its texts, and facts as questions
need them.
"""
