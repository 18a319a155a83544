"""Addresses of messages and campaigns."""

from django.urls import path

from campaigns.views import actions, campaigns, deliveries, messages, previews

app_name = "campaigns"

urlpatterns = [
    path("messages/", messages.MessageList.as_view(), name="messages"),
    path("messages/new/", messages.message_new, name="message_new"),
    path("messages/check/", previews.check_message, name="message_check"),
    path("messages/preview/", previews.preview_frame, name="message_preview"),
    path("messages/people/", previews.find_person, name="find_person"),
    path("messages/frame/<int:version_id>/", previews.version_frame, name="version_frame"),
    path("messages/<int:message_id>/", messages.message_edit, name="message"),
    path("messages/<int:message_id>/test/", messages.message_test, name="message_test"),
    path("messages/<int:message_id>/single/", messages.message_single, name="message_single"),
    path("messages/<int:message_id>/archive/", messages.message_archive, name="message_archive"),
    path("messages/<int:message_id>/versions/<int:number>/", messages.message_version, name="message_version"),
    path("campaigns/", campaigns.CampaignList.as_view(), name="campaigns"),
    path("campaigns/new/", campaigns.campaign_new, name="campaign_new"),
    path("campaigns/<int:campaign_id>/", campaigns.campaign_page, name="campaign"),
    path("campaigns/<int:campaign_id>/forecast/", campaigns.campaign_forecast, name="forecast"),
    path("campaigns/<int:campaign_id>/forecast/people/", campaigns.campaign_people, name="forecast_people"),
    path("campaigns/<int:campaign_id>/progress/", campaigns.campaign_progress, name="progress"),
    path("campaigns/<int:campaign_id>/frame/", previews.campaign_frame, name="campaign_frame"),
    path("campaigns/<int:campaign_id>/schedule/", actions.schedule, name="schedule"),
    path("campaigns/<int:campaign_id>/unschedule/", actions.unschedule, name="unschedule"),
    path("campaigns/<int:campaign_id>/pause/", actions.pause, name="pause"),
    path("campaigns/<int:campaign_id>/resume/", actions.resume, name="resume"),
    path("campaigns/<int:campaign_id>/cancel/", actions.cancel, name="cancel"),
    path("campaigns/<int:campaign_id>/resend/", actions.resend, name="resend"),
    path("campaigns/<int:campaign_id>/test/", actions.test, name="campaign_test"),
    path("campaigns/<int:campaign_id>/deliveries/", deliveries.DeliveryList.as_view(), name="deliveries"),
    path("campaigns/<int:campaign_id>/deliveries/<uuid:key>/", deliveries.delivery_page, name="delivery"),
    path("campaigns/<int:campaign_id>/deliveries/<uuid:key>/mail/", deliveries.delivery_mail, name="delivery_mail"),
]
