"""What the chart renders, for every set of values that matters, and what it refuses."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from crossfade_operator.settings import PREFIX, LearningSettings, ServingSettings, Settings
from dev.cluster.programs import Programs, find_client

pytestmark = pytest.mark.integration

CHART = Path(__file__).parents[2] / "charts" / "crossfade"
Objects = list[dict[str, Any]]
Render = Callable[..., Objects]

VALUE_SETS = {
    "defaults": [],
    "two-controllers-of-some-namespaces": ["serving.replicas=2", "serving.namespaces={recs,search}"],
    "own-prometheus-elsewhere": ["prometheus.url=http://prometheus.monitoring:9090", "podMonitors.enabled=true"],
    "shut-in": ["networkPolicy.enabled=true", "prometheus.volume.persistent=true"],
    "postgresql": ["analyzer.storeSecret=evidence-store", "aggregateRoles=false"],
    "with-a-dashboard": ["dashboards.enabled=true"],
    "without-experiments": ["learning.enabled=false", "admission.enabled=false"],
}


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    program = find_client(Programs.cached(), "helm")

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)

    return call


@pytest.fixture(scope="session")
def template(helm: Callable[..., Any]) -> Callable[..., subprocess.CompletedProcess[str]]:
    @functools.cache
    def call(*values: str) -> subprocess.CompletedProcess[str]:
        sets = [part for value in values for part in ("--set", value)]
        found: subprocess.CompletedProcess[str] = helm(
            "template", "crossfade", str(CHART), "--namespace", "crossfade-system", "--kube-version", "1.36.0", *sets
        )
        return found

    return call


@pytest.fixture(scope="session")
def render(template: Callable[..., Any]) -> Render:
    def call(*values: str) -> Objects:
        done = template(*values)
        assert done.returncode == 0, done.stderr
        return [obj for obj in yaml.safe_load_all(done.stdout) if obj]

    return call


@pytest.fixture(params=VALUE_SETS.values(), ids=VALUE_SETS.keys())
def objects(request: pytest.FixtureRequest, render: Render) -> Objects:
    return render(*request.param)


def _of(objects: Objects, *kinds: str) -> Objects:
    return [obj for obj in objects if obj["kind"] in kinds]


def _named(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    (found,) = [obj for obj in _of(objects, kind) if obj["metadata"]["name"] == name]
    return found


def _containers(objects: Objects) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for obj in _of(objects, "Deployment"):
        pod = obj["spec"]["template"]["spec"]
        for container in pod["containers"]:
            yield pod, container


def _environment(objects: Objects, deployment: str) -> dict[str, Any]:
    pod = _named(objects, "Deployment", deployment)["spec"]["template"]["spec"]
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in pod["containers"][0]["env"]}


def test_it_lints_strictly(helm: Callable[..., Any]) -> None:
    done = helm("lint", "--strict", "--kube-version", "1.36.0", str(CHART))
    assert done.returncode == 0, done.stdout


def test_no_role_reaches_secrets_or_everything(objects: Objects) -> None:
    rules = [rule for role in _of(objects, "Role", "ClusterRole") for rule in role["rules"]]
    assert rules
    for rule in rules:
        assert "secrets" not in rule["resources"]
        assert not any("*" in word for part in ("apiGroups", "resources", "verbs") for word in rule[part])
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_the_analyzer_is_bound_to_no_role_and_gets_no_token(objects: Objects) -> None:
    subjects = [s["name"] for b in _of(objects, "RoleBinding", "ClusterRoleBinding") for s in b["subjects"]]
    assert "crossfade-analyzer" not in subjects
    pod = _named(objects, "Deployment", "crossfade-analyzer")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert _named(objects, "ServiceAccount", "crossfade-analyzer")["automountServiceAccountToken"] is False


def test_every_container_is_probed_bounded_and_restricted(objects: Objects) -> None:
    for pod, container in _containers(objects):
        assert {"livenessProbe", "readinessProbe", "startupProbe"} <= container.keys(), container["name"]
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_selectors_select_their_own_pods_and_nobody_elses(objects: Objects) -> None:
    pods = {d["metadata"]["name"]: d["spec"]["template"]["metadata"]["labels"] for d in _of(objects, "Deployment")}
    selectors = {obj["metadata"]["name"]: obj["spec"]["selector"] for obj in _of(objects, "Service")}
    selectors |= {d["metadata"]["name"]: d["spec"]["selector"]["matchLabels"] for d in _of(objects, "Deployment")}
    for name, selector in selectors.items():
        assert [pod for pod, labels in pods.items() if selector.items() <= labels.items()] == [name]


def test_the_controllers_are_told_where_the_others_are(render: Render) -> None:
    objects = render("router.image.repository=localhost/crossfade-router", "router.image.tag=dev")
    environment = _environment(objects, "crossfade-serving")
    for side in ("serving", "learning"):
        told = _environment(objects, f"crossfade-{side}")
        assert told["CROSSFADE_ANALYZER_URL"] == "http://crossfade-analyzer.crossfade-system.svc"
        assert told["CROSSFADE_LEASE_NAME"] == f"crossfade-{side}"
    assert environment["CROSSFADE_ROUTER_IMAGE"] == "localhost/crossfade-router:dev"
    service = _named(objects, "Service", "crossfade-analyzer")
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}]


def test_the_sides_are_two_processes_of_one_image_with_an_identity_each(render: Render) -> None:
    objects = render("serving.image.repository=registry.example/operator", "learning.env.CROSSFADE_LOG_LEVEL=DEBUG")
    for side in ("serving", "learning"):
        pod = _named(objects, "Deployment", f"crossfade-{side}")["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["command"] == ["crossfade-operator", side]
        assert container["image"] == "registry.example/operator:0.1.0"
        assert pod["serviceAccountName"] == f"crossfade-{side}"
    assert _environment(objects, "crossfade-learning")["CROSSFADE_LOG_LEVEL"] == "DEBUG"
    assert "CROSSFADE_ROUTER_IMAGE" not in _environment(objects, "crossfade-learning")
    assert "CROSSFADE_LOG_LEVEL" not in _environment(objects, "crossfade-serving")


SETTINGS: dict[str, type[Settings]] = {"serving": ServingSettings, "learning": LearningSettings}


def test_every_variable_is_a_setting_of_the_operators(objects: Objects) -> None:
    for pod, container in _containers(objects):
        if container["name"] == "controller":
            given = {entry["name"] for entry in container["env"] if entry["name"].startswith(PREFIX)}
            known = SETTINGS[container["command"][-1]].model_fields.keys()
            assert {name.removeprefix(PREFIX).lower() for name in given} <= known, pod


def test_arms_yield_to_what_serves_users_unless_told_otherwise(render: Render) -> None:
    def told(*values: str) -> tuple[str | None, list[Any]]:
        objects = render(*values)
        made = [(obj["metadata"]["name"], obj["value"]) for obj in objects if obj["kind"] == "PriorityClass"]
        return _environment(objects, "crossfade-learning").get("CROSSFADE_ARM_PRIORITY_CLASS"), made

    assert told() == ("crossfade-arms", [("crossfade-arms", -10)])
    mine = "learning.armPriorityClass.name=batch"
    assert told(mine, "learning.armPriorityClass.value=-5") == ("batch", [("batch", -5)])
    assert told(mine, "learning.armPriorityClass.create=false") == ("batch", [])
    assert told("learning.armPriorityClass.create=false") == (None, [])


def test_experiments_can_be_left_out(render: Render) -> None:
    learning = [obj for obj in render("learning.enabled=false") if obj["metadata"]["name"].endswith("-learning")]
    assert learning == []


def test_policies_can_be_left_out_and_then_no_role_may_delete_records(render: Render) -> None:
    objects = render("admission.enabled=false")
    assert not _of(objects, "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    rules = _named(objects, "ClusterRole", "crossfade-edit")["rules"]
    assert not [rule for rule in rules if {"decisions", "reviews"} & set(rule["resources"])]


def test_every_policy_is_bound_denies_and_says_what_to_do(objects: Objects) -> None:
    bound = [obj["spec"]["policyName"] for obj in _of(objects, "ValidatingAdmissionPolicyBinding")]
    policies = _of(objects, "ValidatingAdmissionPolicy")
    assert sorted(bound) == sorted(policy["metadata"]["name"] for policy in policies)
    for binding in _of(objects, "ValidatingAdmissionPolicyBinding"):
        assert binding["spec"]["validationActions"] == ["Deny"]
    for policy in policies:
        for validation in policy["spec"]["validations"]:
            assert {"message", "messageExpression"} & validation.keys(), policy["metadata"]["name"]


def test_what_users_are_served_by_is_never_held_up_by_a_policy_that_cannot_be_judged(render: Render) -> None:
    policies = {obj["metadata"]["name"]: obj["spec"] for obj in _of(render(), "ValidatingAdmissionPolicy")}
    assert {name for name, spec in policies.items() if spec["failurePolicy"] == "Ignore"} == {
        "crossfade-serving-leaves-experiments-alone.crossfade-system",
        "crossfade-serving-writes-its-own-only.crossfade-system",
    }
    of_learning = [spec for name, spec in policies.items() if "-learning-" in name]
    assert len(of_learning) == 4
    for spec in of_learning:
        (condition,) = spec["matchConditions"]
        assert condition["expression"].endswith("== 'system:serviceaccount:crossfade-system:crossfade-learning'")


def test_two_releases_share_no_name_and_judge_only_what_is_theirs(template: Callable[..., Any], render: Render) -> None:
    one, other = render(), render("fullnameOverride=second", "serving.namespaces={shop}")
    names = [{(obj["kind"], obj["metadata"]["name"]) for obj in objects} for objects in (one, other)]
    assert not names[0] & names[1]
    text = yaml.safe_dump(_of(other, "ValidatingAdmissionPolicy"))
    assert "crossfade-system:second-learning" in text
    assert "crossfade-system:crossfade-learning" not in text
    for binding in _of(other, "ValidatingAdmissionPolicyBinding"):
        everywhere = "-learning-" in binding["metadata"]["name"] or "-serving-" in binding["metadata"]["name"]
        selector = binding["spec"].get("matchResources", {}).get("namespaceSelector")
        wanted = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop"]}
        assert selector == (None if everywhere else {"matchExpressions": [wanted]})


def test_named_namespaces_bound_the_rights_and_the_watch(render: Render) -> None:
    objects = render("serving.namespaces={recs,search}")
    assert _environment(objects, "crossfade-serving")["CROSSFADE_NAMESPACES"] == "recs,search"
    cluster_wide = {role["metadata"]["name"] for role in _of(objects, "ClusterRole")}
    assert cluster_wide == {f"crossfade-{role}" for role in ("view", "edit", "reviewer", "record-administrator")}
    assert not _of(objects, "ClusterRoleBinding")
    for side in ("serving", "learning", "record-administrator"):
        bindings = [b for b in _of(objects, "RoleBinding") if b["roleRef"]["name"].endswith(side)]
        assert {binding["metadata"]["namespace"] for binding in bindings} == {"recs", "search"}
    assert _environment(objects, "crossfade-learning")["CROSSFADE_NAMESPACES"] == "recs,search"


def test_the_clusters_own_roles_include_the_charts_only_if_asked(render: Render) -> None:
    def aggregated(*values: str) -> set[str]:
        roles = _of(render(*values), "ClusterRole")
        return {
            role["metadata"]["name"]
            for role in roles
            if any(label.startswith("rbac.authorization.k8s.io/aggregate-to-") for label in role["metadata"]["labels"])
        }

    assert aggregated() == {"crossfade-view", "crossfade-edit", "crossfade-reviewer"}
    assert aggregated("aggregateRoles=false") == set()


def test_one_value_chooses_between_the_own_prometheus_and_yours(render: Render) -> None:
    own = render()
    assert _environment(own, "crossfade-analyzer")["CROSSFADE_PROMETHEUS_URL"] == (
        "http://crossfade-prometheus.crossfade-system.svc:9090"
    )
    yours = render("prometheus.url=https://thanos.example")
    assert _environment(yours, "crossfade-analyzer")["CROSSFADE_PROMETHEUS_URL"] == "https://thanos.example"
    assert not [obj for obj in yours if obj["metadata"]["name"] == "crossfade-prometheus"]


def test_the_own_prometheus_scrapes_as_often_as_asked(render: Render) -> None:
    text = _named(render("prometheus.scrapeInterval=2s"), "ConfigMap", "crossfade-prometheus")["data"]["prometheus.yml"]
    settings = yaml.safe_load(text)
    assert settings["global"] == {"scrape_interval": "2s"}
    native = _named(render("prometheus.nativeHistograms=true"), "ConfigMap", "crossfade-prometheus")["data"]
    assert yaml.safe_load(native["prometheus.yml"])["global"] == {
        "scrape_interval": "5s",
        "scrape_native_histograms": True,
        "always_scrape_classic_histograms": True,
    }
    (job,) = settings["scrape_configs"]
    assert job["kubernetes_sd_configs"] == [{"role": "pod"}]


def test_a_changed_scrape_configuration_restarts_prometheus(render: Render) -> None:
    def checksum(*values: str) -> str:
        pod = _named(render(*values), "Deployment", "crossfade-prometheus")["spec"]["template"]
        return str(pod["metadata"]["annotations"]["checksum/config"])

    assert checksum() == checksum() != checksum("prometheus.scrapeInterval=7s")


def test_the_network_policy_lets_the_analyzer_reach_dns_and_prometheus_only(render: Render) -> None:
    (policy,) = _of(render("networkPolicy.enabled=true"), "NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    ports = [sorted(port["port"] for port in rule["ports"]) for rule in policy["spec"]["egress"]]
    assert ports == [[53, 53], [9090]]
    assert all(rule["to"] for rule in policy["spec"]["egress"])


def test_the_network_policy_lets_both_controllers_ask_the_analyzer(render: Render) -> None:
    (policy,) = _of(render("networkPolicy.enabled=true"), "NetworkPolicy")
    (rule,) = policy["spec"]["ingress"]
    asking = {peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rule["from"]}
    assert asking == {"serving", "learning", "prometheus"}


def test_evidence_outlives_an_uninstall_unless_told_otherwise(render: Render) -> None:
    def policy(*values: str) -> Any:
        return _named(render(*values), "PersistentVolumeClaim", "crossfade-evidence")["metadata"].get("annotations")

    assert policy() == {"helm.sh/resource-policy": "keep"}
    assert policy("analyzer.volume.keep=false") is None


def test_a_database_url_comes_from_the_secret_and_no_volume_is_made(render: Render) -> None:
    objects = render("analyzer.storeSecret=evidence-store")
    store = _environment(objects, "crossfade-analyzer")["CROSSFADE_STORE_URL"]
    assert store == {"secretKeyRef": {"name": "evidence-store", "key": "url"}}
    assert not _of(objects, "PersistentVolumeClaim")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(["servng.replicas=1"], "additional properties 'servng' not allowed", id="a-misspelt-value"),
        pytest.param(["serving.replicas=3"], "maximum: got 3, want 2", id="three-controllers"),
        pytest.param(["learning.replicas=0"], "minimum: got 0, want 1", id="no-learning-controller"),
        pytest.param(["admission.administrators=my'group"], "does not match pattern", id="a-group-that-ends-a-string"),
        pytest.param(["serving.namespaces={Recs}"], "does not match pattern", id="a-malformed-namespace"),
        pytest.param(["prometheus.url=prometheus:9090"], "does not match pattern", id="a-url-without-scheme"),
        pytest.param(["prometheus.scrapeInterval=5"], "got number, want string", id="an-interval-without-unit"),
        pytest.param(["analyzer.image.pullPolicy=Sometimes"], "value must be one of", id="an-unknown-pull-policy"),
        pytest.param(
            ["analyzer.storeUrl=postgresql+psycopg://me:secret@db/evidence"], "does not match pattern",
            id="a-password-in-the-values",
        ),
        pytest.param(
            ["networkPolicy.enabled=true", "prometheus.url=http://p:9090"], "needs networkPolicy.prometheusPeers",
            id="a-policy-that-would-cut-off-prometheus",
        ),
        pytest.param(
            ["networkPolicy.enabled=true", "analyzer.storeSecret=x"], "needs networkPolicy.storePeers",
            id="a-policy-that-would-cut-off-the-store",
        ),
    ],
)  # fmt: skip
def test_bad_values_are_refused_before_anything_is_installed(
    template: Callable[..., Any], values: list[str], message: str
) -> None:
    done = template(*values)
    assert done.returncode != 0
    assert message in done.stderr


def test_every_default_is_described_by_the_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert list(_undescribed(values, schema, schema["definitions"], "")) == []


def _undescribed(value: Any, schema: dict[str, Any], definitions: dict[str, Any], path: str) -> Iterator[str]:
    schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if not isinstance(value, dict) or "properties" not in schema:
        return
    for name, inner in value.items():
        if name not in schema["properties"]:
            yield f"{path}.{name}"
        else:
            yield from _undescribed(inner, schema["properties"][name], definitions, f"{path}.{name}")


def test_the_dashboard_asks_for_metrics_that_there_are(render: Render) -> None:
    (config,) = [obj for obj in render("dashboards.enabled=true") if obj["metadata"]["name"].endswith("-dashboards")]
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    dashboard = json.loads(config["data"]["crossfade.json"])
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    names = {name for expression in asked for name in re.findall(r"\b(?:envoy_)?crossfade_\w+", expression)}
    pages = CHART.parents[1] / "docs"
    told = (pages / "reference" / "metrics.md").read_text() + (pages / "routing.md").read_text()
    assert len(asked) >= 16
    for expression in asked:
        promql.parse(expression.replace("$__rate_interval", "1m"))
    assert {name for name in names if f"`{name}`" not in told} == set()
