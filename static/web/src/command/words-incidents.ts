export const incidentWords = {
  incidents: ['突发事件', 'Incidents'],
  exercise: ['演练', 'Exercise'],
  responses: ['应急响应', 'Emergency responses'],
} as const
