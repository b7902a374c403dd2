package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"signalbox.dev/signalbox/controllers/platform"
)

// documented is the example of docs/configuration.md that has a word in it.
func documented(t *testing.T, word string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		if strings.Contains(match[1], word) {
			return match[1]
		}
	}
	t.Fatalf("no example has %s", word)
	return ""
}

// managerPod is the manager's pod; that of the chart's defaults has nothing but the volume with its configuration.
func managerPod(t *testing.T, objects map[string]*unstructured.Unstructured) corev1.PodSpec {
	t.Helper()
	return convert[appsv1.Deployment](t, objects, "Deployment/signalbox-manager").Spec.Template.Spec
}

// withCorpCA adds to the manager's pod what mounts the authority of the documented issuer.
func withCorpCA(pod corev1.PodSpec) corev1.PodSpec {
	source := corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "corp-ca"}}}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "corp-ca", VolumeSource: source})
	container := &pod.Containers[0]
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "corp-ca", MountPath: "/etc/corp-ca", ReadOnly: true})
	return pod
}

// TestAuthorityOfAnIssuer: the values that the documentation shows mount the file that they name, and change nothing else of the pod.
func TestAuthorityOfAnIssuer(t *testing.T) {
	objects := render(t, documented(t, "extraVolumes:"))
	config, err := platform.Parse([]byte(convert[corev1.ConfigMap](t, objects, "ConfigMap/signalbox-manager").Data["config.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Tokens.Issuers) != 1 || config.Tokens.Issuers[0].CAFile != "/etc/corp-ca/ca.crt" {
		t.Errorf("issuers are %+v", config.Tokens.Issuers)
	}
	if diff := cmp.Diff(withCorpCA(managerPod(t, render(t, ""))), managerPod(t, objects)); diff != "" {
		t.Errorf("pod (-want +got):\n%s", diff)
	}
}

// TestAuthorityOfAnIssuerWithKustomize: so does the patch that the documentation shows.
func TestAuthorityOfAnIssuerWithKustomize(t *testing.T) {
	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "config"), os.DirFS("../../config")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(documented(t, "kind: Kustomization")), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := run(t, binary("kubectl"), "kustomize", folder)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(withCorpCA(managerPod(t, render(t, ""))), managerPod(t, parse(t, text))); diff != "" {
		t.Errorf("pod (-want +got):\n%s", diff)
	}
}

// TestVolumesBesideStores: the chart's own volumes and further ones do not exclude each other, whatever they are made of.
func TestVolumesBesideStores(t *testing.T) {
	objects := render(t, storeValues+`
manager:
  extraVolumes:
  - {name: authorities, secret: {secretName: corp-ca, items: [{key: tls.crt, path: ca.crt}]}}
  - name: bundle
    projected: {sources: [{configMap: {name: bundle}}]}
  extraVolumeMounts:
  - {name: authorities, mountPath: /etc/signalbox-authorities, readOnly: true}
  - {name: bundle, mountPath: /bundle, readOnly: true}
`)
	wanted := map[string]string{
		"/etc/signalbox-stores/ledger": "valkey-admin", "/etc/signalbox-stores/usage": "usage-database", "/etc/signalbox-authorities": "corp-ca",
	}
	if diff := cmp.Diff(wanted, mountedSecrets(t, objects)); diff != "" {
		t.Errorf("mounted Secrets (-want +got):\n%s", diff)
	}
	pod := managerPod(t, objects)
	if last := pod.Volumes[len(pod.Volumes)-1]; len(pod.Volumes) != 5 || last.Projected == nil || last.Projected.Sources[0].ConfigMap.Name != "bundle" {
		t.Errorf("volumes are %+v", pod.Volumes)
	}
}

// TestVolumeValuesAreChecked shows that a volume or mount in the place of one of the manager's own is refused, and named.
func TestVolumeValuesAreChecked(t *testing.T) {
	for name, tc := range map[string]struct{ values, want string }{
		"no name":               {"extraVolumes: [{emptyDir: {}}]", "/manager/extraVolumes/0"},
		"the chart's own name":  {"extraVolumes: [{name: config, emptyDir: {}}]", "/manager/extraVolumes/0/name"},
		"no folder":             {"extraVolumeMounts: [{name: a}]", "/manager/extraVolumeMounts/0"},
		"no volume":             {"extraVolumeMounts: [{mountPath: /a}]", "/manager/extraVolumeMounts/0"},
		"relative":              {"extraVolumeMounts: [{name: a, mountPath: etc/a}]", "/manager/extraVolumeMounts/0/mountPath"},
		"over the manager's":    {"extraVolumeMounts: [{name: a, mountPath: /etc/signalbox}]", "/manager/extraVolumeMounts/0/mountPath"},
		"below the manager's":   {"extraVolumeMounts: [{name: a, mountPath: /etc/signalbox/ca}]", "/manager/extraVolumeMounts/0/mountPath"},
		"below those of stores": {"extraVolumeMounts: [{name: a, mountPath: /etc/signalbox-stores/ledger}]", "/manager/extraVolumeMounts/0/mountPath"},
		"not a list":            {"extraVolumes: {a: b}", "/manager/extraVolumes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := template(t, "manager: {"+tc.values+"}")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s to be named", err, tc.want)
			}
		})
	}
}
