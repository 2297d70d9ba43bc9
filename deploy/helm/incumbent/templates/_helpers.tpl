{{- define "incumbent.cluster" -}}
{{- .Values.cluster | default .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- end -}}

{{- define "incumbent.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{- define "incumbent.labels" -}}
app.kubernetes.io/name: incumbent
app.kubernetes.io/part-of: {{ include "incumbent.cluster" . }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "incumbent.jobManager" -}}
app.kubernetes.io/name: incumbent
app.kubernetes.io/component: job-manager
app.kubernetes.io/part-of: {{ include "incumbent.cluster" . }}
{{- end -}}

{{- define "incumbent.claim" -}}
{{- .Values.blobs.volume.claim | default (printf "%s-blobs" (include "incumbent.cluster" .)) -}}
{{- end -}}

{{- define "incumbent.security" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* What pods of both kinds mount, and from where. */}}
{{- define "incumbent.mounts" -}}
{{- if not .Values.blobs.url }}
- name: blobs
  mountPath: /blobs
{{- end }}
- name: token
  mountPath: /etc/incumbent
  readOnly: true
{{- end -}}

{{- define "incumbent.volumes" -}}
{{- if not .Values.blobs.url }}
- name: blobs
  persistentVolumeClaim:
    claimName: {{ include "incumbent.claim" . }}
{{- end }}
- name: token
  secret:
    secretName: {{ .Values.tokenSecret }}
{{- end -}}
