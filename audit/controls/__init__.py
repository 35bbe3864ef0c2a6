"""Controls: what laws and standards ask, clause by clause, and what of it an audit answers."""

from audit.controls.catalogues import Control, Law, Titles, control_ids, laws, named_laws, read_law
from audit.controls.coverage import Covered, Matrix, Status, matrix

__all__ = ["Control", "Covered", "Law", "Matrix", "Status", "Titles", "control_ids", "laws", "matrix", "named_laws", "read_law"]
