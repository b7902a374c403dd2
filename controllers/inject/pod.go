// Package inject is the manager's webhook: it gives pods that carry a label a token for a namespace's proxy and tells their SDKs where it is.
package inject

import (
	"fmt"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
)

const (
	// volumeName, mountDir and tokenFile are where the token is.
	volumeName = "signalbox-token"
	mountDir   = "/var/run/secrets/signalbox"
	tokenFile  = "token"
	// tokenSeconds is the lifetime of a token; the kubelet renews it well before.
	tokenSeconds int64 = 3600
	// envBaseURL is read by the OpenAI SDKs, and envTokenFile by what the docs show for each of them.
	envBaseURL   = "OPENAI_BASE_URL"
	envTokenFile = "SIGNALBOX_TOKEN_FILE"
)

// wanted tells whether a pod asks for a token and may have one: the API server refuses them to the mirrors of a kubelet's static pods.
func wanted(pod *corev1.Pod) bool {
	_, mirrors := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return pod.Labels[v1alpha1.LabelInject] == "true" && !mirrors
}

// target is the namespace whose proxy a pod of a namespace calls.
func target(pod *corev1.Pod, namespace string) (string, error) {
	named, ok := pod.Annotations[v1alpha1.AnnotationInjectNamespace]
	if !ok {
		return namespace, nil
	}
	if len(validation.IsDNS1123Label(named)) > 0 {
		return "", fmt.Errorf("the annotation %s is not the name of a namespace; the pod gets no token for a proxy", v1alpha1.AnnotationInjectNamespace)
	}
	return named, nil
}

// add gives a pod the token for the proxy of a namespace. It only adds: what the pod sets itself stays, so that a second time changes nothing. A pod whose own
// volume has the name of the token's is left as it is, for what its containers would be told of the token would not be so.
func add(pod *corev1.Pod, namespace string, proxy platform.Proxy) error {
	switch i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == volumeName }); {
	case i < 0:
		pod.Spec.Volumes = append(pod.Spec.Volumes, tokenVolume(namespace))
	case !holdsToken(&pod.Spec.Volumes[i], namespace):
		return fmt.Errorf("the pod has a volume %s of its own without a file %q with a token for audience %q; give it another name, or the pod gets no token for a proxy",
			volumeName, tokenFile, v1alpha1.ProxyAudience(namespace))
	}
	url := proxy.BaseURL(v1alpha1.ProxyName + "." + namespace)
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			addTo(&containers[i], url)
		}
	}
	return nil
}

// holdsToken tells whether a volume is what tokenVolume makes, or as good.
func holdsToken(volume *corev1.Volume, namespace string) bool {
	return volume.Projected != nil && slices.ContainsFunc(volume.Projected.Sources, func(source corev1.VolumeProjection) bool {
		token := source.ServiceAccountToken
		return token != nil && token.Audience == v1alpha1.ProxyAudience(namespace) && token.Path == tokenFile
	})
}

func tokenVolume(namespace string) corev1.Volume {
	return corev1.Volume{Name: volumeName, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: v1alpha1.ProxyAudience(namespace), ExpirationSeconds: ptr.To(tokenSeconds), Path: tokenFile,
		}}},
	}}}
}

// addTo gives a container the token where it has it not, and tells it where that is.
func addTo(container *corev1.Container, url string) {
	place := mountDir
	switch i := slices.IndexFunc(container.VolumeMounts, isTokenMount); {
	case i < 0:
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: volumeName, MountPath: mountDir, ReadOnly: true})
	default:
		place = path.Clean(container.VolumeMounts[i].MountPath)
	}
	for _, variable := range []corev1.EnvVar{{Name: envBaseURL, Value: url}, {Name: envTokenFile, Value: place + "/" + tokenFile}} {
		if !slices.ContainsFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == variable.Name }) {
			container.Env = append(container.Env, variable)
		}
	}
}

// isTokenMount tells whether a mount has the token, or takes its place.
func isTokenMount(mount corev1.VolumeMount) bool {
	return mount.Name == volumeName && mount.SubPath == "" && mount.SubPathExpr == "" || path.Clean(mount.MountPath) == mountDir
}
