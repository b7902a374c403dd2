{{- define "signalbox.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "signalbox.selector" -}}
app.kubernetes.io/name: signalbox-manager
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "signalbox.labels" -}}
{{ include "signalbox.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: signalbox
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "signalbox.config" -}}
{{- $proxy := deepCopy .Values.proxy -}}
{{- if not (hasKey $proxy "image") -}}
{{- $_ := set $proxy "image" (include "signalbox.image" .) -}}
{{- end -}}
{{- if not (hasKey $proxy "imagePullPolicy") -}}
{{- $_ := set $proxy "imagePullPolicy" .Values.image.pullPolicy -}}
{{- end -}}
{{- $config := dict "clusterDomain" .Values.clusterDomain "proxy" $proxy "endpoints" .Values.endpoints "tokens" .Values.tokens -}}
{{- $policy := deepCopy .Values.networkPolicy -}}
{{- range $field := list "dataFrom" "metricsFrom" "egress" -}}
{{- if not (get $policy $field) -}}{{- $_ := unset $policy $field -}}{{- end -}}
{{- end -}}
{{- $_ := set $config "networkPolicy" $policy -}}
{{- with .Values.watchNamespaces -}}{{- $_ := set $config "watchNamespaces" . -}}{{- end -}}
{{- with .Values.namespaces -}}{{- $_ := set $config "namespaces" . -}}{{- end -}}
{{- toYaml $config -}}
{{- end -}}
