"""The Clusters room: looking at clusters, naming them, making and comparing clusterings."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from lookalike import Lookalike
from tests.e2e.explorer.conftest import COLLECTION, Explored

JOB_MS = 60_000


def start_clustering(page: Page, name: str, **texts: str) -> None:
    """Fill in the dialog for a known number of clusters and start."""
    page.get_by_role("button", name="New clustering").click()
    dialog = page.get_by_role("dialog", name="New clustering")
    dialog.get_by_label("I know the number").check()
    dialog.get_by_label("Name", exact=True).fill(name)
    for label, text in texts.items():
        dialog.get_by_label(label.replace("_", " ")).fill(text)
    dialog.get_by_role("button", name="Start").click()


def test_a_clustering_is_started_watched_and_its_clusters_named(explored: Explored) -> None:
    page = explored.page
    explored.open("clusters")
    start_clustering(page, "five", Number_of_clusters="5")
    expect(page.get_by_role("heading", name="5 clusters")).to_be_visible(timeout=JOB_MS)
    clusters = page.get_by_role("list", name="Clusters").get_by_role("listitem")
    expect(clusters).to_have_count(5)
    assert "run=five" in explored.address

    clusters.first.hover()
    clusters.first.get_by_role("button", name="Rename cluster 0").click()
    page.get_by_label("New name of cluster 0").fill("the largest")
    page.keyboard.press("Enter")
    expect(clusters.first.get_by_role("heading")).to_have_text("the largest")
    with Lookalike(explored.url) as client:
        stored = client.collection(COLLECTION).clustering("five")
    assert stored.clusters[0].name == "the largest"
    page.reload()
    expect(clusters.first.get_by_role("heading")).to_have_text("the largest")


def test_what_the_service_refuses_is_said_in_the_dialog(explored: Explored) -> None:
    page = explored.page
    explored.open("clusters")
    start_clustering(page, "many", Number_of_clusters="5000")
    dialog = page.get_by_role("dialog", name="New clustering")
    expect(dialog.get_by_role("alert")).to_contain_text("there are only 162 points")
    explored.complaints.clear()  # browsers log an answer of 422


def test_a_failed_job_says_why_until_it_is_dismissed(explored: Explored, tiles: Path) -> None:
    page = explored.page
    copy = (tiles / "coffee" / "0-0.jpg").read_bytes()
    with Lookalike(explored.url) as client:
        client.create_collection("alike").add([copy] * 6, ids=list("abcdef"))
    page.goto(f"{explored.url}/?c=alike&room=clusters")
    start_clustering(page, "hopeless", Number_of_clusters="3")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("only 1 of the 6 points differ", timeout=JOB_MS)
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert).to_have_count(0)


def test_a_cluster_opens_with_maps_of_why_and_all_its_images(explored: Explored) -> None:
    page = explored.page
    explored.open("clusters", run="kmeans")
    with Lookalike(explored.url) as client:
        first = client.collection(COLLECTION).clustering("kmeans").clusters[0]
    page.get_by_role("list", name="Clusters").get_by_role("link").first.click()
    expect(
        page.get_by_role("list", name="Images of the cluster").get_by_role("listitem")
    ).to_have_count(first.size)
    typical = page.get_by_role("list", name="Most typical images")
    expect(typical.locator("canvas").first).to_be_visible()
    page.get_by_role("button", name="Search in it").click()
    expect(page).to_have_url(re.compile("room=search"))
    expect(page.get_by_text(f"kmeans is {first.name or 'cluster 0'}").first).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile("cluster=0"))


def test_two_clusterings_are_compared_as_a_flow(explored: Explored) -> None:
    page = explored.page
    with Lookalike(explored.url) as client:
        client.collection(COLLECTION).cluster("kmeans", {"k": 3}, name="three").wait()
    explored.open("clusters", run="three", vs="kmeans")
    diagram = page.get_by_role("group", name="From three to kmeans")
    expect(diagram.get_by_role("link", name=re.compile("^three:"))).to_have_count(3)
    expect(diagram.get_by_role("link", name=re.compile("^kmeans:"))).to_have_count(12)
    expect(page.get_by_text(re.compile(r"Adjusted Rand index 0\.\d+"))).to_be_visible()
    page.get_by_role("button", name="Swap the two").click()
    expect(page.get_by_role("group", name="From kmeans to three")).to_be_visible()


def test_a_sweep_shows_why_there_are_so_many_clusters(explored: Explored) -> None:
    page = explored.page
    with Lookalike(explored.url) as client:
        swept = client.collection(COLLECTION)
        swept.cluster("kmeans", {"k": [2, 8]}, name="swept").wait()
        chosen = swept.clustering("swept").sweep
    assert chosen is not None
    explored.open("clusters", run="swept")
    page.get_by_text(f"Why {chosen.k} clusters?").click()
    plot = page.get_by_role("img", name=re.compile("Silhouette by number of clusters"))
    expect(plot.locator("circle")).to_have_count(7)
    page.get_by_label("Davies–Bouldin").check()
    expect(page.get_by_text(f"It would choose {chosen.choices['davies_bouldin']}.")).to_be_visible()


def test_a_running_job_can_be_stopped(explored: Explored) -> None:
    page = explored.page
    explored.open("clusters")
    page.get_by_role("button", name="New clustering").click()
    dialog = page.get_by_role("dialog", name="New clustering")
    dialog.get_by_label("Most clusters").fill("40")
    dialog.get_by_label("Name", exact=True).fill("stopped")
    dialog.get_by_label("Fewer dimensions first").select_option("umap:10")
    dialog.get_by_text("Measure how stable").click()
    dialog.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    page.get_by_role("button", name="Jobs", exact=True).click()
    expect(page.get_by_role("dialog", name="Jobs").get_by_text("stopped").first).to_be_visible()
    with Lookalike(explored.url) as client:
        assert "stopped" not in {run.name for run in client.collection(COLLECTION).clusterings()}
