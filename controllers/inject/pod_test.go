package inject

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	admissionv1 "k8s.io/api/admission/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
)

func parseConfig(t testing.TB, content string) *platform.Config {
	t.Helper()
	config, err := platform.Parse([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// newPod asks for a token and has one container.
func newPod(changes ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "app", Labels: map[string]string{v1alpha1.LabelInject: "true"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	for _, change := range changes {
		change(pod)
	}
	return pod
}

func TestAdd(t *testing.T) {
	mount := corev1.VolumeMount{Name: volumeName, MountPath: "/var/run/secrets/signalbox", ReadOnly: true}
	file := corev1.EnvVar{Name: "SIGNALBOX_TOKEN_FILE", Value: "/var/run/secrets/signalbox/token"}
	base := corev1.EnvVar{Name: "OPENAI_BASE_URL", Value: "http://signalbox.team-a/v1"}
	own := corev1.EnvVar{Name: "OPENAI_BASE_URL", Value: "https://elsewhere/v1"}
	data := corev1.Volume{Name: "data"}
	longer := tokenVolume("team-a")
	longer.Projected.Sources[0].ServiceAccountToken.ExpirationSeconds = nil
	elsewhere := corev1.VolumeMount{Name: volumeName, MountPath: "/tokens/"}
	for name, tc := range map[string]struct {
		pod, want *corev1.Pod
	}{
		"one container": {newPod(), newPod(func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{tokenVolume("team-a")}
			p.Spec.Containers[0].VolumeMounts, p.Spec.Containers[0].Env = []corev1.VolumeMount{mount}, []corev1.EnvVar{base, file}
		})},
		"several, and init": {
			newPod(func(p *corev1.Pod) {
				p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "two"})
				p.Spec.InitContainers = []corev1.Container{{Name: "init"}}
			}),
			newPod(func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{tokenVolume("team-a")}
				added := corev1.Container{VolumeMounts: []corev1.VolumeMount{mount}, Env: []corev1.EnvVar{base, file}}
				one, two, first := added, added, added
				one.Name, one.Image, two.Name, first.Name = "app", "app", "two", "init"
				p.Spec.Containers, p.Spec.InitContainers = []corev1.Container{one, two}, []corev1.Container{first}
			}),
		},
		"what is there stays": {
			newPod(func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{data}
				p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
				p.Spec.Containers[0].Env = []corev1.EnvVar{own}
			}),
			newPod(func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{data, tokenVolume("team-a")}
				p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}, mount}
				p.Spec.Containers[0].Env = []corev1.EnvVar{own, file}
			}),
		},
		"the volume of the documentation": {
			newPod(func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{longer} }),
			newPod(func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{longer}
				p.Spec.Containers[0].VolumeMounts, p.Spec.Containers[0].Env = []corev1.VolumeMount{mount}, []corev1.EnvVar{base, file}
			}),
		},
		"the token is mounted elsewhere": {
			newPod(func(p *corev1.Pod) {
				p.Spec.Volumes, p.Spec.Containers[0].VolumeMounts = []corev1.Volume{longer}, []corev1.VolumeMount{elsewhere}
			}),
			newPod(func(p *corev1.Pod) {
				p.Spec.Volumes, p.Spec.Containers[0].VolumeMounts = []corev1.Volume{longer}, []corev1.VolumeMount{elsewhere}
				p.Spec.Containers[0].Env = []corev1.EnvVar{base, {Name: "SIGNALBOX_TOKEN_FILE", Value: "/tokens/token"}}
			}),
		},
		"a part of the volume is mounted elsewhere": {
			newPod(func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{longer}
				p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: volumeName, MountPath: "/tokens/mine", SubPath: "token"}}
			}),
			newPod(func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{longer}
				p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: volumeName, MountPath: "/tokens/mine", SubPath: "token"}, mount}
				p.Spec.Containers[0].Env = []corev1.EnvVar{base, file}
			}),
		},
		"a mount of its own at the place, with a slash": {
			newPod(func(p *corev1.Pod) {
				p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: mountDir + "/"}}
			}),
			newPod(func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{tokenVolume("team-a")}
				p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: mountDir + "/"}}
				p.Spec.Containers[0].Env = []corev1.EnvVar{base, file}
			}),
		},
		"a mount of its own at the place": {
			newPod(func(p *corev1.Pod) {
				p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: mountDir}}
			}),
			newPod(func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{tokenVolume("team-a")}
				p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: mountDir}}
				p.Spec.Containers[0].Env = []corev1.EnvVar{base, file}
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // The second time changes nothing.
				if err := add(tc.pod, "team-a", platform.Proxy{}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, tc.pod); diff != "" {
					t.Fatalf("pod (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestHandle(t *testing.T) {
	config := parseConfig(t, "{proxy: {image: a}, namespaces: {secure: {tls: {secretName: t, plaintext: Disabled}}}}")
	annotated := func(namespace string) *corev1.Pod {
		return newPod(func(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.AnnotationInjectNamespace: namespace} })
	}
	for name, tc := range map[string]struct {
		pod          *corev1.Pod
		wantPatches  bool
		wantWarnings int
	}{
		"labelled":                   {newPod(), true, 0},
		"a static pod's":             {newPod(func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }), false, 0},
		"another volume of the name": {newPod(func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{{Name: volumeName}} }), false, 1},
		"another audience":           {newPod(func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{tokenVolume("team-b")} }), false, 1},
		"the right volume":           {newPod(func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{tokenVolume("team-a")} }), true, 0},
		"not labelled":               {newPod(func(p *corev1.Pod) { p.Labels = nil }), false, 0},
		"another label":              {newPod(func(p *corev1.Pod) { p.Labels[v1alpha1.LabelInject] = "false" }), false, 0},
		"elsewhere":                  {annotated("secure"), true, 0},
		"no namespace":               {annotated("Not A Namespace"), false, 1},
		"an empty one":               {annotated(""), false, 1},
		"a path instead":             {annotated("../x"), false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(tc.pod)
			if err != nil {
				t.Fatal(err)
			}
			answer := (&Handler{Config: config}).Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Namespace: "team-a", Object: runtime.RawExtension{Raw: raw},
			}})
			if !answer.Allowed || len(answer.Patches) > 0 != tc.wantPatches || len(answer.Warnings) != tc.wantWarnings {
				t.Errorf("the answer is %+v", answer)
			}
			for _, patch := range answer.Patches {
				if patch.Operation != "add" {
					t.Errorf("the patch does more than add: %v", patch)
				}
			}
		})
	}
}

// TestUnknownFieldsStay shows that a pod of a later Kubernetes keeps what this program does not know of.
func TestUnknownFieldsStay(t *testing.T) {
	raw := `{"metadata":{"labels":{"signalbox.dev/inject":"true"},"creationTimestamp":null,"fresh":1},"fresh":{"a":[]},
		"spec":{"fresh":true,"volumes":[],"containers":[{"name":"a","fresh":"x","env":[{"name":"A","fresh":2}]},{"name":"b","resources":{},"env":null}]},"status":{}}`
	answer := (&Handler{Config: parseConfig(t, "{proxy: {image: a}}")}).Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Namespace: "team-a", Object: runtime.RawExtension{Raw: []byte(raw)},
	}})
	operations, err := json.Marshal(answer.Patches)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := patch.Apply([]byte(raw))
	if err != nil {
		t.Fatalf("the patch %s: %v", operations, err)
	}
	const added = `"volumeMounts":[{"mountPath":"/var/run/secrets/signalbox","name":"signalbox-token","readOnly":true}]`
	const variables = `{"name":"OPENAI_BASE_URL","value":"http://signalbox.team-a/v1"},{"name":"SIGNALBOX_TOKEN_FILE","value":"/var/run/secrets/signalbox/token"}]`
	want := `{"metadata":{"labels":{"signalbox.dev/inject":"true"},"creationTimestamp":null,"fresh":1},"fresh":{"a":[]},"spec":{"fresh":true,
		"volumes":[{"name":"signalbox-token","projected":{"sources":[{"serviceAccountToken":{"audience":"signalbox.team-a","expirationSeconds":3600,"path":"token"}}]}}],
		"containers":[{"name":"a","fresh":"x",` + added + `,"env":[{"name":"A","fresh":2},` + variables + `},
			{"name":"b","resources":{},` + added + `,"env":[` + variables + `}]},"status":{}}`
	if !jsonpatch.Equal(patched, []byte(want)) {
		t.Errorf("the pod is %s\nwant %s", patched, want)
	}
}

func FuzzHandle(f *testing.F) {
	f.Add([]byte(`{"metadata":{"labels":{"signalbox.dev/inject":"true"}},"spec":{"containers":[{"name":"a"}]}}`))
	f.Add([]byte("null"))
	handler := &Handler{Config: parseConfig(f, "{proxy: {image: a}}")}
	f.Fuzz(func(t *testing.T, raw []byte) {
		handler.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Namespace: "n", Object: runtime.RawExtension{Raw: raw}}})
	})
}
