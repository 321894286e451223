"""Tags and text of an HTML page."""

import html.parser

HOSTILE = "<script>alert('1')</script>\"><img src=x onerror=alert(2)>{{ 7*7 }}"


class Reader(html.parser.HTMLParser):
    """Tags with their attributes, and the text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.pieces = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.pieces.append(data)

    @property
    def text(self):
        return "".join(self.pieces)

    def all(self, wanted):
        return [attributes for tag, attributes in self.tags if tag == wanted]


def words(page):
    return " ".join(" ".join(Reader(page).pieces).split())
