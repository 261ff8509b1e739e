"""The learning controller's watches of what people and the serving side write."""
