"""Write the page of permissions anew: `python -m dev.permissions`."""

from pathlib import Path

from dev.permissions.chart import Release
from dev.permissions.matrix import cells
from dev.permissions.page import PATH, page

if __name__ == "__main__":
    (Path(__file__).parents[2] / PATH).write_text(page(cells(Release())))
    print(f"written: {PATH}")
