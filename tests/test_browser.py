"""Tests of the browser that the tests of pages drive."""


def test_what_goes_wrong_in_a_tab_and_what_it_asks_for_is_seen(open_tab, tmp_path):
    (tmp_path / "page.html").write_text("<script>nothing()</script><img src='http://a.example/b'>")
    tab = open_tab()
    tab.goto((tmp_path / "page.html").as_uri())
    assert [problem.split(":")[0] for problem in sorted(tab.problems)] == [
        "Failed to load resource",
        "nothing is not defined",
    ]
    assert tab.asked[1:] == ["http://a.example/b"]
    tab.problems.clear()
