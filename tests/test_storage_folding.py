"""Characters that a search takes for the same."""

from __future__ import annotations

from storage.folding import fold, normalise


def test_folding_leaves_vowel_signs_of_other_scripts():
    """Marks of Latin and Greek are accents; those of Hindi and Thai are letters."""
    assert fold("crème brûlée αθήνα") == "creme brulee αθηνα"
    assert fold("हिन्दी ที่") == "हिन्दी ที่"


def test_normalising_keeps_case_and_accents():
    """Stemmers need accents, and camelCase its humps."""
    assert normalise("Ｆｕｌｌ caﬁé\u200b Größe") == "Full cafié Größe"
