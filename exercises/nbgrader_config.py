"""nbgrader's settings of this course. Its commands are run in this folder."""

import os
import sys
import warnings
from pathlib import Path

from d2l_lstm.classroom.grading import AUTOGRADE, FEEDBACK, SANITIZE

c = get_config()  # noqa: F821: nbgrader gives it

# nbgrader starts alembic by its name, also where .venv is not activated.
os.environ["PATH"] = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
)

c.CourseDirectory.course_id = "d2l_lstm"
c.CourseDirectory.root = str(Path(__file__).resolve().parent)
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints", "*.pyc", "__pycache__", ".pytest_cache", "feedback",
]  # fmt: skip

# nbgrader 0.9 on SQLAlchemy 2.1: true, harmless, and four lines for each student.
warnings.filterwarnings("ignore", message="Object of type <Submitted")

# Each question runs in a process of its own, tests always come from source/.
c.Autograde.sanitize_preprocessors = SANITIZE
c.Autograde.autograde_preprocessors = AUTOGRADE
# Hidden tests may be used again, so feedback shows what they say and not their text.
c.GenerateFeedback.preprocessors = FEEDBACK
# c.RunQuestions.seconds = 20.0             # wall-clock, of one cell
# c.RunQuestions.question_seconds = 50.0    # of one question
# c.RunQuestions.megabytes = 700            # beyond Python and Paddle

# `nbgrader zip_collect` takes files named STUDENT_ASSIGNMENT.ipynb, as in
# ada.lovelace_04_lstm_cell.ipynb, from downloaded/ASSIGNMENT/archive/.
c.FileNameCollectorPlugin.named_regexp = (
    r".*?(?P<student_id>[\w.@-]+?)_(?P<file_id>\d\d_[a-z_]+)\.ipynb$"
)
c.FileNameCollectorPlugin.valid_ext = [".ipynb"]
c.ExportApp.plugin_class = "nbgrader.plugins.export.CsvExportPlugin"
