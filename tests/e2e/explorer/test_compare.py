"""The Compare room: two sets are chosen, compared, and the report read."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from lookalike import Lookalike
from tests.e2e.explorer.conftest import COLLECTION, Explored

JOB_MS = 90_000


def test_a_cluster_is_compared_with_all_others_and_the_report_read(explored: Explored) -> None:
    page = explored.page
    explored.open("compare")
    page.get_by_role("button", name=re.compile("Compare two sets|New comparison")).click()
    presets = page.get_by_role("region", name="By the values of a field")
    presets.get_by_label("By").select_option("clusters.kmeans")
    presets.get_by_label("First").select_option(index=1)
    first = page.get_by_role("region", name="First: the reference")
    expect(first.get_by_text(re.compile("kmeans is"))).to_be_visible()
    first.get_by_label("Called").fill("these")
    page.get_by_label("Look for the difference in").select_option("kmeans")
    page.get_by_role("button", name="Compare", exact=True).click()

    verdict = page.get_by_role("region", name="Verdict")
    expect(verdict).to_contain_text("The sets differ", timeout=JOB_MS)
    expect(page.get_by_role("heading", name="these and the rest")).to_be_visible()
    with Lookalike(explored.url) as client:
        stored = client.collection(COLLECTION).comparison("these-the-rest")
    assert stored.clustering == "kmeans"
    auc = page.get_by_role("img", name=re.compile(r"Told apart \(AUC\)"))
    expect(auc).to_have_attribute(
        "aria-label", re.compile(f"{stored.figures.separability.auc.value:.2f}")
    )
    expect(page.get_by_text("more of these").first).to_be_visible()
    expect(page.get_by_role("list", name="Maps of these").locator("canvas").first).to_be_visible(
        timeout=JOB_MS
    )
    pairs = page.get_by_role("list", name="Counterparts").get_by_role("listitem")
    expect(pairs).to_have_count(12)
    farthest = pairs.first.get_by_role("button").first.get_attribute("aria-label")
    page.get_by_label("Most alike").check()
    expect(pairs.first.get_by_role("button").first).not_to_have_attribute(
        "aria-label", farthest or ""
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the report").click()
    assert download.value.suggested_filename == "these-the-rest.html"
    assert "<h2>How different they are</h2>" in download.value.path().read_text()
    page.reload()
    expect(verdict).to_contain_text("The sets differ")


def test_too_few_images_are_refused_with_the_reason(explored: Explored) -> None:
    page = explored.page
    with Lookalike(explored.url) as client:
        few = [
            image.id
            for image, _ in zip(client.collection(COLLECTION).images(), range(3), strict=False)
        ]
        client.collection(COLLECTION).update(few[0], {"few": "yes"})
    explored.open("compare", make="1")
    presets = page.get_by_role("region", name="By the values of a field")
    presets.get_by_label("By").select_option("metadata.few")
    presets.get_by_label("First").select_option("yes")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_role("alert").last).to_contain_text("20")
    explored.complaints.clear()  # browsers log an answer of 422
